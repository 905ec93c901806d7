"""Reading stops when too much is unsent, and never starts again.

People write this because `pause_writing` is the callback that they have met in a test with a slow
reader, and its counterpart is the one that they have not. The connection stays open and is deaf.
The kernel shows bytes in the receive queue, a server that waits, and nobody who would read them.
"""

from __future__ import annotations

import asyncio
from typing import cast

from _common import Client, listen


class Echo(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.client = Client(transport.get_extra_info("socket"))

    def data_received(self, piece: bytes) -> None:
        self.transport.write(self.client.take(piece))

    def pause_writing(self) -> None:
        self.transport.pause_reading()


async def main() -> None:
    loop = asyncio.get_running_loop()
    async with await loop.create_server(Echo, sock=listen()) as server:
        await server.serve_forever()


asyncio.run(main())
