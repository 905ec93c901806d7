"""SIGTERM lets the replies in flight be finished, however long that takes.

People write this when they have learnt not to drop replies, and test it with clients that read
theirs. One that never reads keeps the server from ending, until somebody sends SIGKILL to it and
drops the replies of all. The kernel shows a full send queue, and no listener any more.
"""

from __future__ import annotations

import asyncio
import signal
from typing import cast

from _common import Client, listen

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
    while connections:
        await asyncio.sleep(0.02)


asyncio.run(main())
