"""Correct: an asyncio `Protocol` that promises all there is to promise.

The transport's own buffer is the output queue, and `pause_writing` stops the reading. Idle is who
says nothing and takes nothing: what the peer's kernel takes is seen in the socket's send queue,
since a socket turns writable only when a third of a large buffer is free. A refused client is told
the end, then listened to without being heard, so that no reset takes away what it was told before.
"""

from __future__ import annotations

import asyncio
import fcntl
import select
import signal
import struct
import termios
from typing import cast

from _listener import listen

IDLE_S, LINGER_S, GRACE_S = 1.8, 1.0, 1.5
LARGEST = 1024 * 1024
connections: set[Echo] = set()


class Echo(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.loop = asyncio.get_running_loop()
        self.partial = bytearray()
        self.finished = False
        self.queued = 0
        self.active = self.loop.time()
        self.timer = self.loop.call_later(IDLE_S, self.look)
        connections.add(self)

    def data_received(self, piece: bytes) -> None:
        if self.finished:
            return
        self.active = self.loop.time()
        *lines, rest = piece.split(b"\n")
        replies = bytearray()
        for line in lines:
            self.partial += line
            if len(self.partial) > LARGEST:
                break
            replies += self.partial + b"\n"
            self.partial.clear()
        else:
            self.partial += rest
        self.transport.write(replies)
        if len(self.partial) > LARGEST:
            self.finish(LINGER_S)
        else:
            self.look_again(0.25)

    def pause_writing(self) -> None:
        if not self.finished:
            self.transport.pause_reading()

    def resume_writing(self) -> None:
        self.transport.resume_reading()

    def look(self) -> None:
        """Remove the connection if nothing moved for too long; otherwise look again in time."""
        sock = self.transport.get_extra_info("socket")
        unacked = struct.unpack("i", fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4)))[0]
        queued = self.transport.get_write_buffer_size() + unacked
        if queued != self.queued:
            self.queued = queued
            self.active = self.loop.time()
        left = self.active + IDLE_S - self.loop.time()
        if left <= 0 and not queued and has_input(sock):
            self.look_again(0.1)  # it was this process that slept, and the request waits
        elif left <= 0:
            self.transport.abort() if queued else self.transport.close()
        else:
            self.look_again(0.25 if queued else left)

    def look_again(self, delay: float) -> None:
        self.timer.cancel()
        self.timer = self.loop.call_later(delay, self.look)

    def finish(self, patience: float) -> None:
        """Send what is left and the end; hear no more, and go when the peer does or time is up."""
        if not self.finished and not self.transport.is_closing():
            self.finished = True
            self.transport.write_eof()
            self.transport.resume_reading()
            self.timer.cancel()
            self.timer = self.loop.call_later(patience, self.transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        self.timer.cancel()
        connections.discard(self)


def has_input(sock: asyncio.trsock.TransportSocket) -> bool:
    """Whether something waits to be read; `poll`, for `select` ends at descriptor 1023."""
    poll = select.poll()
    poll.register(sock.fileno(), select.POLLIN)
    return bool(poll.poll(0))


async def main() -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    server = await loop.create_server(Echo, sock=listen())
    await stop.wait()
    server.close()
    for connection in list(connections):
        connection.finish(GRACE_S)
    end = loop.time() + GRACE_S
    while connections and loop.time() < end:
        await asyncio.sleep(0.02)


asyncio.run(main())
