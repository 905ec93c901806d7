"""On SIGTERM replies have a second to be taken; a message that is begun may take its time.

People write this because a request that has been read in part counts as accepted. Its client may
have stalled, or never meant to end it, and nothing bounds the wait. The kernel shows the event loop
asleep with that connection, long after the signal.
"""

from __future__ import annotations

import asyncio
import signal
from typing import ClassVar

from _common import address

GRACE_S = 1.0


class Echo(asyncio.Protocol):
    everyone: ClassVar[set[Echo]] = set()
    stopping = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.partial = b""
        self.everyone.add(self)

    def pause_writing(self) -> None:
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        self.transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        lines, newline, self.partial = (self.partial + data).rpartition(b"\n")
        self.transport.write(lines + newline)
        if self.stopping and not self.partial:
            self.transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        self.everyone.discard(self)


async def main() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Echo, *address(), backlog=1024)
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    server.close()
    Echo.stopping = True
    between = [echo.transport for echo in Echo.everyone if not echo.partial]
    for transport in between:
        transport.close()
    loop.call_later(GRACE_S, lambda: [transport.abort() for transport in between])
    while Echo.everyone:
        await asyncio.sleep(0.05)


asyncio.run(main())
