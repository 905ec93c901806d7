/* The yardstick: an echo server of lines on epoll(7), as lean as C allows.
 *
 *     epoll_echo ADDRESS PORT
 *
 * Framing as in all contestants: whole lines are answered by themselves, however they arrive, and a
 * piece of a line waits for the rest. What the kernel does not take at once waits too, and its
 * connection is not read from meanwhile.
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
#include <unistd.h>

enum { BACKLOG = 4096, EVENTS = 1024, PIECE = 65536 };

struct bytes {
    char *data;
    size_t length;
};

struct connection {
    int fd;
    struct bytes partial; /* of a line that is not whole yet */
    struct bytes unsent;
};

static int poller;
static char piece[PIECE];

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void append(struct bytes *to, const char *data, size_t length) {
    to->data = realloc(to->data, to->length + length);
    if (!to->data)
        fail("realloc");
    memcpy(to->data + to->length, data, length);
    to->length += length;
}

static void clear(struct bytes *bytes) {
    free(bytes->data);
    *bytes = (struct bytes){NULL, 0};
}

static void watch(struct connection *connection, int action, unsigned events) {
    struct epoll_event event = {.events = events, .data.ptr = connection};
    if (epoll_ctl(poller, action, connection->fd, &event) < 0)
        fail("epoll_ctl");
}

static void end(struct connection *connection) {
    close(connection->fd);
    clear(&connection->partial);
    clear(&connection->unsent);
    free(connection);
}

/* 0, or -1 when the connection is broken. */
static int answer(struct connection *connection, const char *data, size_t length) {
    ssize_t sent = send(connection->fd, data, length, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN)
        return -1;
    if (sent < 0)
        sent = 0;
    if ((size_t)sent < length) {
        append(&connection->unsent, data + sent, length - sent);
        watch(connection, EPOLL_CTL_MOD, EPOLLOUT);
    }
    return 0;
}

static int on_readable(struct connection *connection) {
    ssize_t got = recv(connection->fd, piece, sizeof piece, 0);
    if (got <= 0)
        return got < 0 && errno == EAGAIN ? 0 : -1;
    const char *newline = memrchr(piece, '\n', got);
    size_t whole = newline ? newline + 1 - piece : 0;
    if (whole && connection->partial.length) {
        append(&connection->partial, piece, whole);
        int broken = answer(connection, connection->partial.data, connection->partial.length);
        clear(&connection->partial);
        if (broken)
            return broken;
    } else if (whole && answer(connection, piece, whole)) {
        return -1;
    }
    if (whole < (size_t)got)
        append(&connection->partial, piece + whole, got - whole);
    return 0;
}

static int on_writable(struct connection *connection) {
    struct bytes rest = connection->unsent;
    ssize_t sent = send(connection->fd, rest.data, rest.length, MSG_NOSIGNAL);
    if (sent < 0)
        return errno == EAGAIN ? 0 : -1;
    memmove(rest.data, rest.data + sent, rest.length - sent);
    connection->unsent.length -= sent;
    if (!connection->unsent.length) {
        clear(&connection->unsent);
        watch(connection, EPOLL_CTL_MOD, EPOLLIN);
    }
    return 0;
}

static void on_acceptable(int listener) {
    int fd, yes = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct connection *connection = calloc(1, sizeof *connection);
        if (!connection)
            fail("calloc");
        connection->fd = fd;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        watch(connection, EPOLL_CTL_ADD, EPOLLIN);
    }
}

int main(int count, char **arguments) {
    if (count != 3) {
        fprintf(stderr, "usage: %s ADDRESS PORT\n", arguments[0]);
        return 2;
    }
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(arguments[2]))};
    if (inet_pton(AF_INET, arguments[1], &address.sin_addr) != 1) {
        fprintf(stderr, "%s is no IPv4 address\n", arguments[1]);
        return 2;
    }
    int yes = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0)
        fail("bind");
    if (listen(listener, BACKLOG) < 0)
        fail("listen");
    poller = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event accepting = {.events = EPOLLIN}; /* no connection: the listener */
    if (poller < 0 || epoll_ctl(poller, EPOLL_CTL_ADD, listener, &accepting) < 0)
        fail("epoll");
    for (;;) {
        struct epoll_event events[EVENTS];
        int ready = epoll_wait(poller, events, EVENTS, -1);
        for (int k = 0; k < ready; k++) {
            struct connection *connection = events[k].data.ptr;
            if (!connection)
                on_acceptable(listener);
            else if (events[k].events & EPOLLOUT ? on_writable(connection)
                                                 : on_readable(connection))
                end(connection);
        }
    }
}
