"""Completion: io_uring, the nearest that Linux has to the asynchronous IO of the textbooks.

While it waits, the process sleeps in `io_uring_enter`. In all other models it is a `recv` of the
process that copies. Here the process says once "receive from this socket, again and again", the
kernel copies into a buffer of a pool when bytes have come, and what it reports is that it *has been
done*. Accepting and sending are submitted in the same way, and one system call submits all that a
round has brought.

Who copies, in whose context, and when: it is the kernel, but no other processor does it beside a
busy process. The memory is this thread's, so the copy is made in this thread's context. When bytes
come, the network's part of the kernel leaves a piece of work with the thread, and the next time
that the thread passes through the kernel, the work is done before it goes on. A thread that sleeps
in `io_uring_enter` is woken for it. One that computes and calls nothing passes through the kernel
when its processor is interrupted, by a clock or a device, and does not notice that bytes were
copied meanwhile: 0.6 ms after they came, in the median of 99 tries in which it computed all the
time and nobody else wanted the processor.

That is IORING_SETUP_COOP_TASKRUN. Without it the kernel does not wait for an interrupt but sends
one to the processor, and the copy is made after 0.2 ms; each message then costs 5 to 19 % more CPU
than in the quickest way. This one is IORING_SETUP_DEFER_TASKRUN: the work is left until the thread
itself calls `io_uring_enter` for completions. It is meant for a loop that always comes back soon,
and is no asynchronous IO in the sense of the textbooks: of 100 pieces that came while the process
computed, none was copied before it was done. What is shipped costs 6 % more CPU a message than
that with 1 client, 1 % with 100 and 2 % with 1 000 (medians of 7 paired rounds of `bench` on Linux
6.18, two processors, as are the other figures).

So a client here has operations under way. Its socket may be closed only when they have ended, or
the kernel would keep it open for them. And that a socket holds nothing unread does not mean that
nothing has come: it may be copied already, and its completion wait to be heard of.
"""

from __future__ import annotations

import errno
import resource
import socket
from contextlib import suppress

from .. import errors, tcp
from ..clients import Clients
from ..connection import CLOSED, OPEN, STOPPING, Connection
from ..console import STDIN, Operator
from ..events import Log
from ..listener import ACCEPT_RETRY_S, Listener, OutOfDescriptors, peer_of
from ..ring import Ring
from ..settings import Settings
from ..stop import StopRequest
from ..timers import Timer, Timers

# A tag is a client's number and what is being done for it; number 0 is the server.
RECEIVE, SEND, ACCEPT, STOP, TYPED = range(1, 6)
_KINDS = 8


class Client:
    """A socket, its operations under way, and the connection that decides what to do."""

    __slots__ = (
        "_cancelled",
        "_fd",
        "_receiving",
        "_sending",
        "_server",
        "_socket",
        "_timer",
        "connection",
        "number",
        "peer",
    )

    def __init__(self, server: UringServer, sock: socket.socket, peer: str) -> None:
        self.number = server.clients.next_number()
        self.peer = peer
        self.connection: Connection = server.clients.new_connection(self.number)
        self._server = server
        self._socket = sock
        self._fd = sock.fileno()
        self._receiving = True
        self._sending = b""
        self._cancelled = False
        self._timer: Timer | None = None
        server.ring.receive(self._fd, self.number * _KINDS + RECEIVE)
        self._set_timer(self.connection.patience)

    def on_received(self, result: int, flags: int) -> None:
        """The kernel has received a piece, or will receive no more."""
        connection = self.connection
        ring = self._server.ring
        if not flags & ring.MORE:
            self._receiving = self._cancelled = False
        if result > 0:
            data = ring.received(result, flags)
            if connection.takes_data:
                connection.receive_data(data)
                self._send()
        elif result == 0:
            if connection.takes_data:
                connection.receive_eof()
        elif -result not in (errno.ENOBUFS, errno.ECANCELED) and connection.state is not CLOSED:
            connection.abort(errors.reason("receive", OSError(-result, "")))
        if not self._receiving or connection.state is not OPEN or not connection.wants_read:
            self._settle()

    def on_sent(self, result: int) -> None:
        """The kernel has taken bytes, or never will."""
        connection = self.connection
        self._sending = b""
        if result >= 0:
            if connection.state is not CLOSED and connection.data_sent(result) and self._receiving:
                return
        elif -result != errno.ECANCELED and connection.state is not CLOSED:
            connection.abort(errors.reason("send", OSError(-result, "")))
        self._settle()

    def _send(self) -> None:
        output = self.connection.output
        if output and not self._sending:
            self._sending = bytes(output)
            self._server.ring.send(self._fd, self._sending, self.number * _KINDS + SEND)

    def _settle(self) -> None:
        """Follow what the connection wants by now."""
        connection = self.connection
        if connection.state is CLOSED:
            self._close()
            return
        self._send()
        if connection.wants_fin:
            if self._server.stopping and not tcp.unacknowledged(self._socket):
                self.abandon("shutdown")
                return
            try:
                self._socket.shutdown(socket.SHUT_WR)
            except OSError as error:
                connection.abort(errors.reason("send", error))
                self._close()
                return
            connection.fin_sent()
            self._set_timer(connection.patience)
        if connection.wants_read and not self._receiving:
            self._receiving = True
            self._server.ring.receive(self._fd, self.number * _KINDS + RECEIVE)
        elif not connection.wants_read and self._receiving and not self._cancelled:
            self._cancelled = True
            self._server.ring.cancel(self.number * _KINDS + RECEIVE)
        if connection.state is STOPPING and not connection.output:
            self._server.timers.call_later(0, self._look_for_unread)

    def _look_for_unread(self) -> None:
        if self.connection.state is STOPPING and not self._has_unread():
            self.connection.input_drained()
            if self.connection.wants_fin:
                self._settle()

    def _has_unread(self) -> bool:
        """Bytes have come that we were not told of: they are in the socket, or copied already."""
        # In this order, as they may be copied between one look and the other.
        receiving = self.number * _KINDS + RECEIVE
        return tcp.unread(self._socket) > 0 or self._server.ring.completed(receiving)

    def _set_timer(self, delay: float) -> None:
        timers = self._server.timers
        if self._timer is not None:
            timers.cancel(self._timer)
        self._timer = timers.call_later(delay, self._on_timer) if delay else None

    def _on_timer(self) -> None:
        self._timer = None
        if self.connection.state is CLOSED:
            return
        # Bytes that have come and were not told of yet are no silence, however long we were kept
        # from them; nor is an answer that the kernel has not been told of yet.
        if self._receiving and self._has_unread():
            self._set_timer(0.001)
            return
        self._server.ring.submit()
        again = self.connection.expire(tcp.quiet_for(self._socket))
        if again:
            self._set_timer(again)
        else:
            self._close()

    def answer(self, text: bytes) -> bool:
        """Send the operator's answer to the oldest waiting message; False if none waits."""
        answered = self.connection.answer(text)
        self._settle()
        return answered

    def finish(self, reason: str) -> None:
        """End it in good order from our side."""
        self.connection.finish(reason)
        self._settle()

    def stop(self) -> None:
        """The server stops: finish what has begun."""
        if self.connection.state is not CLOSED:
            self.connection.stop()
            self._settle()

    def abandon(self, reason: str) -> None:
        """Time is up: let go of the peer now."""
        if self.connection.state is not CLOSED:
            self.connection.abort(reason)
            self._close()

    def _close(self) -> None:
        """Close the socket once nothing is under way on it."""
        ring = self._server.ring
        if self._receiving and not self._cancelled:
            self._cancelled = True
            ring.cancel(self.number * _KINDS + RECEIVE)
        if self._sending:
            ring.cancel(self.number * _KINDS + SEND)
        if self._receiving or self._sending:
            return
        if self._timer is not None:
            self._server.timers.cancel(self._timer)
            self._timer = None
        tcp.let_go(self._socket, self.connection)
        self._server.on_closed(self)


class UringServer:
    """Listener, signals and operator as operations of one ring."""

    def __init__(self, settings: Settings, listener: Listener, log: Log, stop: StopRequest) -> None:
        self.clients: Clients[Client] = Clients(settings, log)
        self.ring = Ring()
        self.timers = Timers()
        self.stopping = False
        self._settings = settings
        self._listener = listener
        self._log = log
        self._stop_request = stop
        self._operator = Operator(self.clients, log)
        self._resting: Timer | None = None
        self._running = True

    def run(self) -> None:
        """Serve until a signal asks to stop, and the grace time at most after it."""
        self._listener.socket.setblocking(True)  # else the kernel gives up where it should wait
        self._accept()
        self.ring.poll(self._stop_request.fileno(), STOP)
        if self._settings.reply == "operator":
            self.ring.poll(STDIN, TYPED)
        client_of = self.clients.get
        timeout = None
        while self._running:
            for tag, result, flags in self.ring.wait(timeout):
                number, kind = tag // _KINDS, tag % _KINDS
                if number:
                    client = client_of(number)
                    if client is None:
                        continue
                    if kind == RECEIVE:
                        client.on_received(result, flags)
                    else:
                        client.on_sent(result)
                elif kind == ACCEPT:
                    self._on_accepted(result)
                elif kind == STOP:
                    self._on_stop()
                elif kind == TYPED:
                    self._on_typed()
            timeout = self.timers.ring()
        self.ring.close()

    def _on_accepted(self, result: int) -> None:
        if -result in errors.OUT_OF_DESCRIPTORS:
            self.clients.accept_failed(errors.name(-result))
            self._resting = self.timers.call_later(ACCEPT_RETRY_S, self._accept)
            return
        if result >= 0:
            self._admit(socket.socket(fileno=result))
        self._accept()

    def _accept(self) -> None:
        self._resting = None
        if not self.stopping:
            self.ring.accept(self._listener.fileno(), ACCEPT)

    def _admit(self, sock: socket.socket) -> None:
        try:
            peer = peer_of(sock.getpeername())
        except OSError:  # it was reset while it waited
            sock.close()
            return
        if self.clients.admit(sock, peer):
            client = Client(self, sock, peer)
            self.clients.accepted(client)
            if self.stopping:
                client.stop()

    def on_closed(self, client: Client) -> None:
        """The client's socket is closed, so there may be room for another."""
        self.clients.closed(client)
        if self._resting is not None:
            self.timers.cancel(self._resting)
            self._accept()
        if self.stopping and not self.clients:
            self._running = False

    def _on_stop(self) -> None:
        name = self._stop_request.take()
        self._log.event("stopping", signal=name, connections=len(self.clients))
        self.stopping = True
        self.ring.cancel(ACCEPT)
        self._listener.socket.setblocking(False)
        with suppress(OutOfDescriptors):
            # Closing the listener resets those who wait in its queue.
            while accepted := self._listener.accept():
                accepted[0].setblocking(True)
                self._admit(accepted[0])
        self._listener.close()
        for client in self.clients:
            client.stop()
        self.timers.call_later(self._settings.grace, self._end_grace)
        if not self.clients:
            self._running = False

    def _end_grace(self) -> None:
        for client in self.clients:
            client.abandon("grace")

    def _on_typed(self) -> None:
        if self._operator.hear():
            self.ring.poll(STDIN, TYPED)


def unavailable() -> str | None:
    try:
        Ring().close()
    except ImportError:
        return "the package liburing is not installed"
    except OSError as error:
        if error.errno == errno.ENOMEM:
            limit = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0] // 1024
            return f"io_uring's queues need more memory than RLIMIT_MEMLOCK allows, {limit} KiB"
        return f"this kernel refuses io_uring ({errors.name(error.errno)})"
    return None


def serve(settings: Settings, listener: Listener, log: Log, stop: StopRequest) -> None:
    UringServer(settings, listener, log, stop).run()
