/* The load: connections that ask, wait for the whole answer, check it, and ask again.
 *
 *     load ADDRESS PORT PID ACTIVE IDLE LINES SIZE CHURN
 *
 * Opens IDLE connections that never speak and ACTIVE ones, each of which sends LINES lines of SIZE
 * bytes at a time, and says "connected" on standard output when all have been accepted. Told "WARM
 * FOR" (seconds) on standard input, it asks for WARM + FOR seconds, says as a line of JSON what the
 * last FOR of them brought, and keeps still until its input ends. With CHURN 1 each connection asks
 * once and makes room for another. PID is the server's: its CPU clock (clock_getcpuclockid(3)) is
 * read in the moments that the counting begins and ends.
 *
 * The client and the server take turns on a connection, so that nothing piles up, and a message is
 * small enough for the kernel to take it whole.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    EVENTS = 1024,
    PIECE = 65536,
    UNPROVEN = 512, /* connections after which the newest asks, which shows that all were accepted */
    PATIENCE_S = 60
};

static struct sockaddr_in address;
static clockid_t server_clock;
static int poller, churn;
static int *sockets; /* by place: first the active, then the idle ones */
static size_t *received, length, lines;
static char *message, piece[PIECE];

static void fail(const char *what) {
    fprintf(stderr, "load: %s: %s\n", what, errno ? strerror(errno) : "the server ended it");
    exit(1);
}

static double seconds(clockid_t clock) {
    struct timespec now;
    if (clock_gettime(clock, &now) < 0)
        fail("the server's CPU clock");
    return now.tv_sec + now.tv_nsec / 1e9;
}

static void ask(int place) {
    received[place] = 0;
    if (send(sockets[place], message, length, MSG_NOSIGNAL) != (ssize_t)length)
        fail("send");
}

/* Take what has come; whether the answer is whole. */
static int hear(int place) {
    errno = 0;
    ssize_t got = recv(sockets[place], piece, sizeof piece, 0);
    if (got <= 0)
        fail("recv");
    size_t before = received[place];
    if (before + got > length || memcmp(piece, message + before, got)) {
        fprintf(stderr, "load: the answer differs from what was sent, after byte %zu\n", before);
        exit(1);
    }
    received[place] += got;
    return received[place] == length;
}

static void open_at(int place) {
    int yes = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        fail("socket");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        fail("connect");
    sockets[place] = fd;
}

static void watch(int place) {
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = place};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, sockets[place], &event) < 0)
        fail("epoll_ctl");
}

static void renew(int place) {
    close(sockets[place]);
    open_at(place);
    watch(place);
}

static void connect_all(int active, int all) {
    for (int place = all - 1; place >= 0; place--) {
        open_at(place);
        if (place % UNPROVEN == 0) {
            ask(place);
            while (!hear(place))
                ;
        }
    }
    for (int place = 0; place < active; place++)
        watch(place);
    puts("connected");
    fflush(stdout);
}

static void ask_for(double warm_s, double for_s, int active) {
    static struct epoll_event events[EVENTS];
    size_t answers = 0;
    int counting = 0;
    double now, began = 0, server_s = 0, own_s = 0, from = seconds(CLOCK_MONOTONIC) + warm_s;
    for (int place = 0; place < active; place++)
        ask(place);
    for (;;) {
        int ready = epoll_wait(poller, events, EVENTS, PATIENCE_S * 1000);
        if (ready <= 0)
            fail(ready ? "epoll_wait" : "no answer came for a minute");
        now = seconds(CLOCK_MONOTONIC);
        if (counting && now >= began + for_s)
            break;
        if (!counting && now >= from) {
            counting = 1;
            answers = 0;
            began = now;
            server_s = seconds(server_clock);
            own_s = seconds(CLOCK_PROCESS_CPUTIME_ID);
        }
        for (int k = 0; k < ready; k++) {
            int place = events[k].data.u32;
            if (!hear(place))
                continue;
            answers++;
            if (churn)
                renew(place);
            ask(place);
        }
    }
    server_s = seconds(server_clock) - server_s;
    own_s = seconds(CLOCK_PROCESS_CPUTIME_ID) - own_s;
    printf("{\"messages\": %zu, \"seconds\": %.6f, \"server_cpu_s\": %.6f, "
           "\"client_cpu_s\": %.6f}\n",
           answers * lines, now - began, server_s, own_s);
    fflush(stdout);
}

int main(int count, char **arguments) {
    if (count != 9) {
        fprintf(stderr, "usage: load ADDRESS PORT PID ACTIVE IDLE LINES SIZE CHURN\n");
        return 2;
    }
    address.sin_family = AF_INET;
    address.sin_port = htons(atoi(arguments[2]));
    inet_pton(AF_INET, arguments[1], &address.sin_addr);
    server_clock = ~(clockid_t)atoi(arguments[3]) << 3 | 2; /* as clock_getcpuclockid(3) does */
    int active = atoi(arguments[4]), all = active + atoi(arguments[5]);
    lines = atoi(arguments[6]);
    size_t size = atoi(arguments[7]);
    churn = atoi(arguments[8]);

    length = lines * size;
    message = malloc(length);
    sockets = calloc(all, sizeof *sockets);
    received = calloc(all, sizeof *received);
    if (!message || !sockets || !received)
        fail("memory");
    for (size_t at = 0; at < length; at++)
        message[at] = at % size == size - 1 ? '\n' : 'a' + at % 26;
    poller = epoll_create1(EPOLL_CLOEXEC);

    connect_all(active, all);
    double warm_s, for_s;
    if (scanf("%lf %lf", &warm_s, &for_s) == 2)
        ask_for(warm_s, for_s, active);
    while (getchar() != EOF)
        ;
    return 0;
}
