"""One client served by blocking calls: the thread sleeps until this client speaks or takes.

The counterpart of `transport.py` for the models that have a thread of control for each client they
serve. The kernel keeps the time: SO_RCVTIMEO makes recv come back with EAGAIN when a peer has been
silent for too long (socket(7)).
"""

from __future__ import annotations

import select
import socket
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from threading import Condition

from . import errors, tcp
from .clients import Clients
from .connection import CLOSED, FIN_WAIT, STOPPING, Connection

_LOOK_AGAIN_S = 0.01


class Session:
    """A blocking socket and its connection.

    `run` belongs to the thread that serves; `answer`, `finish`, `stop` and `abandon` may be called
    from others. `hear_operator` is what the serving thread itself does for an answer, if nobody
    else listens to the operator.
    """

    def __init__(
        self,
        clients: Clients[Session],
        sock: socket.socket,
        peer: str,
        hear_operator: Callable[[], bool] | None = None,
    ) -> None:
        self.number = clients.next_number()
        self.peer = peer
        self.connection: Connection = clients.new_connection(self.number)
        self._socket = sock
        self._hear_operator = hear_operator
        self._turn = Condition()
        self._stopping = False
        self._given_up = ""
        self._linger_until = 0.0
        sock.setblocking(True)
        self._set_patience(self.connection.patience)

    def run(self) -> None:
        """Serve the client until its connection is closed, and close the socket."""
        connection = self.connection
        while connection.state is not CLOSED:
            if connection.output:
                with self._turn:
                    self._send()
                if connection.output:
                    self._wait_for_either()
            elif connection.wants_fin:
                self._say_fin()
            elif connection.wants_read:
                self._receive()
            else:
                self._wait_for_operator()
        tcp.let_go(self._socket, connection)

    def _receive(self) -> None:
        try:
            data = self._socket.recv(tcp.RECEIVE_SIZE)
        except BlockingIOError:
            self._expire()
            return
        except OSError as error:
            self._abort("receive", error)
            return
        with self._turn:
            self._take(data)
        if self._hear_operator is not None:
            while self.connection.owed and self._hear_operator():
                pass

    def _take(self, data: bytes) -> None:
        connection = self.connection
        if not connection.takes_data:
            return  # the operator ended it meanwhile
        if connection.state is FIN_WAIT and time.monotonic() > self._linger_until:
            connection.expire(0.0)
        elif data:
            connection.receive_data(data)
        elif self._given_up:
            connection.abort(self._given_up)
        elif self._stopping:
            self._finish_stopping()
        else:
            connection.receive_eof()

    def _finish_stopping(self) -> None:
        """All that had come is read: what is not whole by now never will be."""
        connection = self.connection
        if connection.state is FIN_WAIT:
            # Both sides are shut down, so no call waits for this socket any more: look again.
            if tcp.unacknowledged(self._socket):
                self._turn.wait(_LOOK_AGAIN_S)
            else:
                connection.abort("shutdown")
            return
        if connection.state is not STOPPING:
            connection.stop()
        connection.input_drained()
        if connection.state is STOPPING and not connection.output:
            connection.abort("shutdown")

    def _send(self) -> None:
        """Send what the kernel takes at once."""
        connection = self.connection
        try:
            while output := connection.output:
                connection.data_sent(self._socket.send(output, socket.MSG_DONTWAIT))
        except BlockingIOError:
            connection.data_sent(0)
        except OSError as error:
            self._abort("send", error)

    def _wait_for_either(self) -> None:
        """Sleep until the peer takes more or, unless it has too much to take, speaks.

        A peer may say a lot before it begins to read. A thread that sleeps in send would never
        hear it out, and each would wait for the other.
        """
        connection = self.connection
        if connection.state is CLOSED:
            return
        listens = connection.wants_read and not self._stopping
        wanted = select.POLLOUT | (select.POLLIN if listens else 0)
        poll = select.poll()
        poll.register(self._socket, wanted)
        ready = poll.poll(self._patience * 1000 or None)
        if not ready:
            self._expire()
        elif ready[0][1] & wanted == select.POLLIN:
            self._receive()

    def _say_fin(self) -> None:
        connection = self.connection
        if self._stopping and not tcp.unacknowledged(self._socket):
            connection.abort("shutdown")
            return
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError as error:
            self._abort("send", error)
            return
        with self._turn:
            connection.fin_sent()
        self._linger_until = time.monotonic() + connection.patience
        self._set_patience(connection.patience)

    def _wait_for_operator(self) -> None:
        connection = self.connection
        with self._turn:
            if not self._turn.wait_for(
                lambda: connection.state is CLOSED or connection.output,
                connection.patience or None,
            ):
                self._expire()

    def _expire(self) -> None:
        again = self.connection.expire(tcp.quiet_for(self._socket))
        if again:
            self._set_patience(again)

    def _set_patience(self, seconds: float) -> None:
        # A limit of 0 would be none at all.
        self._patience = seconds = max(seconds, 0.001) if seconds else 0.0
        limit = struct.pack("ll", int(seconds), int(seconds % 1 * 1e6))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)

    def answer(self, text: bytes) -> bool:
        """Send the operator's answer to the oldest waiting message; False if none waits."""
        with self._turn:
            answered = self.connection.answer(text)
            self._send()
            self._turn.notify()
            return answered

    def finish(self, reason: str) -> None:
        """End it in good order from our side."""
        with self._turn:
            self.connection.finish(reason)
            self._send()
            self._turn.notify()
        self._interrupt(socket.SHUT_RD)

    def stop(self) -> None:
        """The server stops: answer what has come, and end."""
        self._stopping = True
        self._interrupt(socket.SHUT_RD)

    def abandon(self, reason: str) -> None:
        """Time is up: let go of the peer now."""
        self._given_up = reason
        self._interrupt(socket.SHUT_RDWR)

    def _interrupt(self, how: int) -> None:
        """Let the thread's system call come back: no signal would, it is called again after one."""
        with suppress(OSError):  # the peer has gone
            self._socket.shutdown(how)

    def _abort(self, phase: str, error: OSError) -> None:
        if self.connection.state is not CLOSED:
            self.connection.abort(self._given_up or errors.reason(phase, error))
