"""Correct: asyncio's streams, as the documentation teaches them.

`drain` after each `write` keeps the memory bounded, a line without its newline is the end of input,
and `close` stands where every way out passes. It promises little: no timeouts, no limits.
"""

from __future__ import annotations

import asyncio
from asyncio import StreamReader, StreamWriter
from contextlib import suppress

from _listener import listen


async def serve(reader: StreamReader, writer: StreamWriter) -> None:
    try:
        with suppress(OSError, ValueError):
            while (line := await reader.readline()).endswith(b"\n"):
                writer.write(line)
                await writer.drain()
    finally:
        writer.close()


async def main() -> None:
    async with await asyncio.start_server(serve, sock=listen(), limit=2**18) as server:
        await server.serve_forever()


asyncio.run(main())
