"""An echo server of lines on asyncio's Protocol: `asyncio_protocol LOOP ADDRESS PORT`.

LOOP is `asyncio` or `uvloop`.
"""

from __future__ import annotations

import asyncio
import sys
from typing import cast

from bench.contestants.event_loop import run
from bench.contestants.framing import Lines


class Echo(asyncio.Protocol):
    """One connection; it is not read from while the peer takes nothing."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A cast, as uvloop's transports are of a class of their own.
        self._transport = cast("asyncio.Transport", transport)
        self._write = self._transport.write
        self._lines = Lines()

    def data_received(self, data: bytes) -> None:
        whole = self._lines.feed(data)
        if whole:
            self._write(whole)

    def pause_writing(self) -> None:
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._transport.resume_reading()


async def serve(address: str, port: int) -> None:
    """Serve for ever."""
    server = await asyncio.get_running_loop().create_server(Echo, address, port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    run(sys.argv[1], serve(sys.argv[2], int(sys.argv[3])))
