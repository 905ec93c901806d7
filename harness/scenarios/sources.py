"""What the catalogue rests on: the sources that are cited more than once.

What is cited of one document stands together, so that whoever opens it can read all of it against
the text. A source that is cited once is written down beside its scenario.
"""

from __future__ import annotations

from iolab.harness.scenarios.scenario import Cite

# TCP: RFC 9293, section by section.
HANDSHAKE = Cite(
    "RFC 9293 §3.5",
    "a connection comes about by a handshake, usually of three segments",
)
THIRD_SEGMENT = Cite(
    "RFC 9293 §3.5",
    "the listening side is connected by the third segment, an acknowledgement, which the data that "
    "follows carries too",
)
SYN_ON_OLD = Cite(
    "RFC 9293 §3.5.1",
    "a peer that has lost its memory sends a SYN into the old connection, answers the "
    "acknowledgement that it gets by a reset, and so ends the old one",
)
HALF_OPEN = Cite(
    "RFC 9293 §3.5.1",
    "a peer that has lost its memory of a connection resets it as soon as data comes for it",
)
NO_SUCH_CONNECTION = Cite(
    "RFC 9293 §3.5.2",
    "whatever comes for a connection that does not exist is answered by a reset, unless it is one",
)
CLOSE_WAIT = Cite(
    "RFC 9293 §3.6",
    "TCP acknowledges a FIN by itself, and sends its own only when its program has closed as well",
)
NO_MORE = Cite(
    "RFC 9293 §3.6",
    "whoever closes says that it has no more data to send: what was sent before is all there is",
)
FIN_AGAIN = Cite(
    "RFC 9293 §3.6",
    "a FIN is sent again, as data is, until it is acknowledged",
)
DELIVERED = Cite(
    "RFC 9293 §3.6",
    "what a program gave to TCP before it closed is still delivered",
)
HALF_CLOSED = Cite(
    "RFC 9293 §3.6.1",
    "the two directions are closed independently: in the one that is open data may still be sent",
)
TIME_WAIT = Cite(
    "RFC 9293 §3.6.1, MUST-13",
    "whoever closes first keeps the connection in TIME-WAIT, for twice as long as a segment may "
    "live",
)
UNREAD_RESET = Cite(
    "RFC 9293 §3.6.1, SHLD-3",
    "a program that closes with data unread, or to whom data comes after it has closed, should "
    "have a reset sent for it, which tells that data was lost",
)
STREAM = Cite(
    "RFC 9293 §3.7",
    "where segments begin and end has nothing to do with where programs' reads and writes do",
)
RETRANSMISSION = Cite(
    "RFC 9293 §3.8",
    "lost segments are sent again until each is delivered",
)
ROUND_TRIPS = Cite(
    "RFC 9293 §3.8.1",
    "networks differ, so the time to wait for an acknowledgement is found out and not fixed",
)
KEEPALIVE_ASKS = Cite(
    "RFC 9293 §3.8.4",
    "a keep-alive probe asks the peer's TCP whether an idle connection lives",
)
IDLE = Cite(
    "RFC 9293 §3.8.4",
    "a connection is idle when for long no segment came and there is nothing to send",
)
KEEPALIVE_IS_OFF = Cite(
    "RFC 9293 §3.8.4, MUST-25",
    "keep-alives are an option, and off unless a program turns them on",
)
KEEPALIVE_WHEN_IDLE = Cite(
    "RFC 9293 §3.8.4, MUST-26",
    "keep-alives are sent only while no sent data is outstanding and nothing has come for a while",
)
URGENT = Cite(
    "RFC 9293 §3.8.5, MUST-30",
    "TCP supports urgent data, though new programs should not use it",
)
WINDOW = Cite(
    "RFC 9293 §3.8.6",
    "a receiver tells how much it is prepared to take, and a sender keeps to that",
)
NARROW_WINDOW = Cite(
    "RFC 9293 §3.8.6",
    "a small window may make each segment wait for a round trip",
)
ZERO_WINDOW = Cite(
    "RFC 9293 §3.8.6.1, MUST-37",
    "a window may stay closed for ever, and TCP keeps the connection while its probes are answered",
)
ABORT = Cite(
    "RFC 9293 §3.10.5",
    "whoever aborts sends one reset and forgets the connection: nothing is left to send it again",
)
RESET_ENDS = Cite(
    "RFC 9293 §3.10.7.4",
    "a valid reset ends the connection: reads and writes that wait fail, what was queued is "
    "discarded",
)
DUPLICATES = Cite(
    "RFC 9293 §3.10.7.4",
    "what was received before is known by its sequence number, acknowledged and dropped",
)
IN_ORDER = Cite(
    "RFC 9293 §3.10.7.4, SHLD-31",
    "segments are processed in the order of their numbers; what comes too early should be held",
)

# Its retransmission timer.
BACKOFF = Cite(
    "RFC 6298 §5",
    "what is not acknowledged in time is sent again, after twice as long each time",
)

# TCP of Linux.
URGENT_EVENT = Cite(
    "tcp(7)",
    "out-of-band data is an exceptional condition to select, and POLLPRI to poll",
)
KEEPIDLE = Cite(
    "tcp(7) TCP_KEEPIDLE",
    "the seconds of idleness before the first probe, on a socket that has SO_KEEPALIVE",
)
NODELAY = Cite(
    "tcp(7) TCP_NODELAY",
    "with it, small pieces are sent as soon as possible instead of being gathered",
)
USER_TIMEOUT = Cite(
    "tcp(7) TCP_USER_TIMEOUT",
    "bounds how long sent data may be unacknowledged, or data wait unsent for a closed window to "
    "open; then the connection ends with ETIMEDOUT",
)
OVERFLOW = Cite(
    "tcp(7) tcp_abort_on_overflow",
    "unless this is set, a burst that overflows the queue resets nobody and is got over",
)
FIN_TIMEOUT = Cite(
    "tcp(7) tcp_fin_timeout",
    "so many seconds the kernel waits for the last FIN before it closes the socket by force",
)
SYNACK_RETRIES = Cite(
    "tcp(7) tcp_synack_retries",
    "a SYN-ACK that is not acknowledged is sent again, so many times at most",
)
SYN_COOKIES = Cite(
    "tcp(7) tcp_syncookies",
    "Linux sends SYN cookies when a listener's queue of unfinished handshakes overflows",
)

# Connections and descriptors.
ACCEPT = Cite(
    "accept(2)",
    "accept takes the first connection that waits in the listener's queue, and gives a new "
    "descriptor for it",
)
TAKEN_BEFORE_ACCEPT = Cite(
    "accept(2)",
    "a connection that was reported may be gone, or another thread's, before accept is called; "
    "then it blocks until the next one comes",
)
ECONNABORTED = Cite(
    "accept(2) ECONNABORTED",
    "accept may fail because the connection was aborted",
)
EMFILE = Cite(
    "accept(2) EMFILE",
    "accept fails when the process has as many descriptors open as it may have",
)
NUMBER_AGAIN = Cite(
    "close(2)",
    "the number of a closed descriptor may be used again",
)
LAST_DESCRIPTOR = Cite(
    "close(2)",
    "what an open file holds is freed with the last descriptor that refers to it",
)
REUSEADDR = Cite(
    "socket(7) SO_REUSEADDR",
    "with it, bind takes an address that is in use, unless by a socket that listens",
)
REUSEPORT = Cite(
    "socket(7) SO_REUSEPORT",
    "sockets that all set it may be bound to one address, and share the connections that come",
)

# Waiting.
EPOLLERR = Cite(
    "epoll_ctl(2) EPOLLERR, EPOLLHUP",
    "errors and hang-ups are reported whether or not they were asked for",
)
EPOLLRDHUP = Cite(
    "epoll_ctl(2) EPOLLRDHUP",
    "tells that the peer has closed, or has shut down its writing half",
)
NO_TIMEOUT = Cite(
    "epoll_wait(2), poll(2), select(2)",
    "without a time-out the call sleeps until a descriptor is ready or a signal is handled",
)
ONE_READ = Cite(
    "select(2)",
    "ready means that one read, or a small enough write, will not block; nothing about how much",
)
END_IS_READY = Cite(
    "select(2)",
    "a descriptor at its end counts as ready for reading",
)
FD_SETSIZE = Cite(
    "select(2)",
    "only descriptors below FD_SETSIZE, 1024, can be watched, and that will not change",
)
MANY_READY = Cite(
    "select(2), poll(2), epoll_wait(2)",
    "one call watches many descriptors, and may report several of them at once",
)

# Reading and writing.
READ_RESET = Cite(
    "read(3p) ECONNRESET",
    "a read fails with this when the peer has broken the connection off",
)
PARTIAL_READ = Cite(
    "recv(2)",
    "a receive returns what there is, up to what was asked for, and waits for no more",
)
RECEIVE_TIMEOUT = Cite(
    "recv(2) EAGAIN",
    "a receive time-out is that of one call, which fails when nothing came meanwhile",
)
MSG_OOB = Cite(
    "recv(2) MSG_OOB",
    "asks for out-of-band data, which a receive without it does not return",
)
SEND_FULL = Cite(
    "send(2)",
    "what the send buffer has no room for makes the call block, or fail with EAGAIN on a "
    "nonblocking socket",
)
SEND_RESET = Cite(
    "send(2) ECONNRESET",
    "a send fails with this when the peer has reset the connection",
)
PARTIAL_WRITE = Cite(
    "write(2)",
    "a write that succeeds may have taken a part; the rest is for another call",
)
WRITE_EAGAIN = Cite(
    "write(2) EAGAIN",
    "a write that would block fails with this on a nonblocking descriptor",
)
EPIPE = Cite(
    "write(2) EPIPE",
    "a write to a socket whose reader is gone fails, and is seen to fail only by who catches, "
    "blocks or ignores SIGPIPE",
)

# Processes.
RESIDENT = Cite(
    "proc(5) VmRSS",
    "how much of a process is in memory, as an inexact figure",
)
STOPPED_WAITS = Cite(
    "signal(7)",
    "on Linux some waits fail with EINTR when the process was stopped and goes on, without any "
    "handler: epoll_wait, sigtimedwait, and those on sockets with a time-out",
)
SIGKILL = Cite(
    "signal(7) SIGKILL",
    "a process can neither catch nor block nor ignore it",
)
SIGSTOP = Cite(
    "signal(7) SIGSTOP",
    "stops a process, which can neither catch nor block nor ignore it",
)
SIGTERM = Cite(
    "signal(7) SIGTERM",
    "ends the process by default: whoever has something to finish must handle it",
)

# Text, and what others make of it.
EVERY_LINE = Cite(
    "docs/design.md, Line protocol",
    "every line that ends in a newline is answered, an empty one too",
)
ONLY_THE_NEWLINE = Cite(
    "docs/design.md, Line protocol",
    "the newline ends a line, and nothing else is taken from it",
)
LINE_IS_DATA = Cite(
    "docs/design.md, Line protocol",
    "a line is data: no text of it is a command, and no spelling of it is changed",
)
UTF8_LENGTH = Cite(
    "RFC 3629 §3",
    "a character beyond ASCII is a sequence of two to four bytes",
)
UTF8_INVALID = Cite(
    "RFC 3629 §3, §10",
    "not every sequence of bytes is UTF-8, and a decoder must protect itself from those that are "
    "not",
)
HTTP_TOO_LONG = Cite(
    "RFC 9112 §3",
    "a server that gets a longer target than it is willing to parse refuses it by a status of its "
    "own",
)
HTTP_PIPELINING = Cite(
    "RFC 9112 §9.3.2",
    "requests may be sent without waiting for replies, and replies come in the requests' order",
)
HTTP_CLOSE = Cite(
    "RFC 9112 §9.6",
    "a server that closes at once may lose its last response to a reset, and keeps it by closing "
    "its own direction first and reading on",
)
