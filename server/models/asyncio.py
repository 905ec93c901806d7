"""The standard library's event loop: asyncio, with a Protocol.

While it waits, the process sleeps in `epoll_wait`, exactly as the epoll model does. The difference
is who calls: asyncio reads and writes the sockets itself and hands bytes to a `Protocol`, keeps
what the kernel does not take in a buffer of its own, and says when that is too full and when it is
empty enough. So the limits here are set on asyncio's transport, and the rest is the same.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from .. import errors, tcp
from ..clients import Clients
from ..connection import CLOSED, STOPPING, Connection
from ..console import STDIN, Operator
from ..events import Log
from ..listener import Listener, peer_of
from ..settings import Settings
from ..stop import StopRequest


class Client(asyncio.Protocol):
    """A transport of asyncio and the connection that decides what to do with it."""

    def __init__(self, server: AsyncioServer) -> None:
        self._server = server
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._socket: socket.socket = transport.get_extra_info("socket")
        server = self._server
        self.peer: str = peer_of(transport.get_extra_info("peername", ("", 0)))
        self.number = 0
        why = server.clients.no_place(self._socket.fileno())
        if why is not None:
            transport.write(server.clients.refused(self.peer, why))
            transport.close()
            return
        self.number = server.clients.next_number()
        self.connection: Connection = server.clients.new_connection(self.number)
        settings = server.settings
        transport.set_write_buffer_limits(settings.high_water, settings.low_water)
        self._set_timer(self.connection.patience)
        server.clients.accepted(self)

    def data_received(self, data: bytes) -> None:
        if not self.number:
            return
        self.connection.receive_data(data)
        self._flush()

    def eof_received(self) -> bool:
        if not self.number:
            return False
        self.connection.receive_eof()
        self._flush()
        return True  # the transport closes when the connection says so

    def pause_writing(self) -> None:
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        if not self._transport.is_closing():
            self._transport.resume_reading()
            self._settle()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.number:
            return
        if self._timer is not None:
            self._timer.cancel()
        if isinstance(error, OSError) and self.connection.state is not CLOSED:
            self.connection.abort(errors.reason("receive", error))
        self._server.on_closed(self)

    def _flush(self) -> None:
        """Hand all output to the transport, which keeps what the kernel does not take."""
        connection = self.connection
        while output := connection.output:
            self._transport.write(output)
            connection.data_sent(len(output))
        self._settle()

    def _settle(self) -> None:
        """Follow what the connection wants by now."""
        connection = self.connection
        if connection.state is STOPPING and not (
            self._transport.get_write_buffer_size() or tcp.unread(self._socket)
        ):
            connection.input_drained()
        if connection.state is CLOSED:
            self._transport.close()
        elif connection.wants_fin:
            if self._server.stopping and not self._unacknowledged():
                self.abandon("shutdown")
                return
            self._transport.write_eof()
            connection.fin_sent()
            self._set_timer(connection.patience)

    def _unacknowledged(self) -> int:
        return self._transport.get_write_buffer_size() + tcp.unacknowledged(self._socket)

    def _set_timer(self, delay: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(delay, self._on_timer) if delay else None

    def _on_timer(self) -> None:
        if self._transport.is_closing():
            return
        if tcp.unread(self._socket) and self._transport.is_reading():
            self._set_timer(0.001)  # what is unread is no silence, however long we were kept
            return
        again = self.connection.expire(tcp.quiet_for(self._socket))
        if again:
            self._set_timer(again)
        else:
            self._let_go()

    def _let_go(self) -> None:
        if self._unacknowledged():
            tcp.reset_on_close(self._socket)
        self._transport.abort()

    def answer(self, text: bytes) -> bool:
        """Send the operator's answer to the oldest waiting message; False if none waits."""
        answered = self.connection.answer(text)
        self._flush()
        return answered

    def finish(self, reason: str) -> None:
        """End it in good order from our side."""
        self.connection.finish(reason)
        self._flush()

    def stop(self) -> None:
        """The server stops: finish what has begun."""
        self.connection.stop()
        self._transport.set_write_buffer_limits(0)  # be told when all of it is sent
        self._settle()

    def abandon(self, reason: str) -> None:
        """Time is up: let go of the peer now."""
        if self.connection.state is not CLOSED:
            self.connection.abort(reason)
        self._let_go()


class AsyncioServer:
    """Listener, signals and operator under asyncio's loop."""

    def __init__(self, settings: Settings, listener: Listener, log: Log, stop: StopRequest) -> None:
        self.settings = settings
        self.clients: Clients[Client] = Clients(settings, log)
        self.stopping = False
        self._listener = listener
        self._log = log
        self._stop_request = stop
        self._emptied = asyncio.Event()
        self._stop_asked = asyncio.Event()
        self._operator = Operator(self.clients, log)

    async def run(self) -> None:
        """Serve until a signal asks to stop, and the grace time at most after it."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._on_exception)
        loop.add_reader(self._stop_request.fileno(), self._on_stop)
        if self.settings.reply == "operator":
            self._hear_operator(loop)
        server = await loop.create_server(
            lambda: Client(self), sock=self._listener.socket, backlog=self.settings.backlog
        )
        await self._stop_asked.wait()
        self.stopping = True
        server.close()
        for client in self.clients:
            client.stop()
        if self.clients:
            try:
                await asyncio.wait_for(self._emptied.wait(), self.settings.grace)
            except TimeoutError:
                for client in self.clients:
                    client.abandon("grace")
                await asyncio.sleep(0)  # asyncio closes the sockets in its next round

    def on_closed(self, client: Client) -> None:
        """The client's socket is closed."""
        self.clients.closed(client)
        if self.stopping and not self.clients:
            self._emptied.set()

    def _on_stop(self) -> None:
        name = self._stop_request.take()
        asyncio.get_running_loop().remove_reader(self._stop_request.fileno())
        self._log.event("stopping", signal=name, connections=len(self.clients))
        self._stop_asked.set()

    def _on_exception(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, OSError) and error.errno in errors.OUT_OF_DESCRIPTORS:
            self.clients.accept_failed(errors.name(error.errno))  # asyncio tries again in a second
        else:
            loop.default_exception_handler(context)

    def _hear_operator(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            loop.add_reader(STDIN, self._on_typed)
        except PermissionError:
            while (
                self._operator.hear()
            ):  # a file never makes anybody wait, and epoll does not take it
                pass

    def _on_typed(self) -> None:
        if not self._operator.hear():
            asyncio.get_running_loop().remove_reader(STDIN)


def unavailable() -> str | None:
    return None


def serve(settings: Settings, listener: Listener, log: Log, stop: StopRequest) -> None:
    asyncio.run(AsyncioServer(settings, listener, log, stop).run())
