"""SIGTERM is obeyed in good order, and the exit status says that something went wrong.

People write this after the shell's convention of 128 and the signal's number, which is what a shell
reports of a process that was killed. One that has finished its work should exit with zero: service
managers take anything else for a crash. The kernel shows an exit with status 143.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import cast

from _common import Client, listen

GRACE_S = 1.5
connections: set[Echo] = set()


class Echo(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.client = Client(transport.get_extra_info("socket"))
        connections.add(self)

    def data_received(self, piece: bytes) -> None:
        self.transport.write(self.client.take(piece))

    def pause_writing(self) -> None:
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        self.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        connections.discard(self)


async def main() -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    server = await loop.create_server(Echo, sock=listen())
    await stop.wait()
    server.close()
    for connection in connections:
        connection.transport.close()
    end = loop.time() + GRACE_S
    while connections and loop.time() < end:
        await asyncio.sleep(0.02)


asyncio.run(main())
sys.exit(128 + signal.SIGTERM)
