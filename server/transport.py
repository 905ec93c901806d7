"""One socket under the event loop, and the `Connection` that decides what to do with it.

This is the hot path: a message costs one `recv`, one `send`, and no other system call. Only when
the kernel does not take all of an answer is the socket watched for writing.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from . import errors, tcp
from .connection import CLOSED, OPEN, STOPPING, Connection
from .models.base import BROKEN, READ, WRITE
from .tcp import RECEIVE_SIZE

if TYPE_CHECKING:
    from .loop import Callback
    from .service import Service
    from .timers import Timer


class Transport:
    """Moves bytes between a socket and its connection, and follows what the connection wants."""

    __slots__ = (
        "_fd",
        "_interest",
        "_service",
        "_socket",
        "_timer",
        "connection",
        "number",
        "peer",
    )

    def __init__(self, service: Service, sock: socket.socket, peer: str) -> None:
        self.number = service.clients.next_number()
        self.peer = peer
        self.connection: Connection = service.clients.new_connection(self.number)
        self._fd = sock.fileno()
        self._socket = sock
        self._service = service
        self._interest = READ
        self._timer: Timer | None = None
        service.loop.register(self._fd, READ, self._on_readable)
        self._set_timer(self.connection.patience)

    def _on_readable(self, _mask: int = READ) -> None:
        """There is something to read, or an error that reading will tell."""
        connection = self.connection
        try:
            data = self._socket.recv(RECEIVE_SIZE)
        except BlockingIOError:
            if connection.state is STOPPING:
                connection.input_drained()
                self._settle()
            return
        except OSError as error:
            self._abort("receive", error)
            return
        if data:
            connection.receive_data(data)
        else:
            connection.receive_eof()
        self._flush()

    def _on_writable(self, mask: int) -> None:
        """There is room to send, or something to read, or both; or an error that either tells.

        A poller may only guess, so that there was nothing to read says nothing of the sending.
        """
        if mask != READ:
            self._flush()
        if mask & READ:
            self._read_if_open()

    def _on_broken(self, mask: int) -> None:
        """We watch for nothing, so no system call would tell: ask, or this would spin."""
        if mask & BROKEN:
            code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            self._abort("receive", OSError(code, ""))

    def _flush(self) -> None:
        """Send what there is, as far as the kernel takes it, and follow what comes of it."""
        connection = self.connection
        output = connection.output
        if output:
            try:
                count = self._socket.send(output)
            except BlockingIOError:
                count = 0
            except OSError as error:
                self._abort("send", error)
                return
            if connection.data_sent(count) and self._interest == READ:
                return
        elif connection.state is OPEN and self._interest == READ:
            return
        self._settle()

    def _settle(self) -> None:
        """Follow what the connection wants by now."""
        connection = self.connection
        if connection.state is CLOSED:
            self._close()
            return
        if connection.wants_fin:
            if self._service.stopping and not tcp.unacknowledged(self._socket):
                # The peer's kernel has all that we said: no reset can destroy it any more.
                self.abandon("shutdown")
                return
            try:
                self._socket.shutdown(socket.SHUT_WR)
            except OSError as error:
                self._abort("send", error)
                return
            connection.fin_sent()
            self._set_timer(connection.patience)
        interest = READ if connection.wants_read else 0
        if connection.wants_write:
            interest |= WRITE
        if interest != self._interest:
            self._interest = interest
            callback: Callback = self._on_broken
            if interest:
                callback = self._on_writable if interest & WRITE else self._on_readable
            self._service.loop.modify(self._fd, interest, callback)
        if connection.state is STOPPING and not connection.output:
            # Only a read that finds nothing shows that nothing is unread.
            self._service.loop.call_later(0, self._read_if_open)

    def _read_if_open(self) -> None:
        if self.connection.wants_read:
            self._on_readable()

    def _set_timer(self, delay: float) -> None:
        loop = self._service.loop
        if self._timer is not None:
            loop.cancel(self._timer)
        self._timer = loop.call_later(delay, self._on_timer) if delay else None

    def _on_timer(self) -> None:
        self._timer = None
        self._read_if_open()  # what is unread is no silence, however long we were kept from it
        connection = self.connection
        if connection.state is CLOSED or self._timer is not None:
            return
        again = connection.expire(tcp.quiet_for(self._socket))
        if again:
            self._set_timer(again)
        else:
            self._close()

    def stop(self) -> None:
        """The server stops: finish what has begun."""
        self.connection.stop()
        self._settle()

    def abandon(self, reason: str) -> None:
        """Time is up: let go of the peer now."""
        self.connection.abort(reason)
        self._close()

    def answer(self, text: bytes) -> bool:
        """Send the operator's answer to the oldest waiting message; False if none waits."""
        answered = self.connection.answer(text)
        self._flush()
        return answered

    def finish(self, reason: str) -> None:
        """End it in good order from our side."""
        self.connection.finish(reason)
        self._flush()

    def _abort(self, phase: str, error: OSError) -> None:
        self.connection.abort(errors.reason(phase, error))
        self._close()

    def _close(self) -> None:
        if self._timer is not None:
            self._service.loop.cancel(self._timer)
            self._timer = None
        self._service.loop.unregister(self._fd)
        tcp.let_go(self._socket, self.connection)
        self._service.on_closed(self)
