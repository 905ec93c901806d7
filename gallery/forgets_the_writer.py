"""When a client has ended, the coroutine that serves it returns.

People write this because what a function made is gone when it returns. The transport belongs to
the loop: asyncio keeps a half-closed connection open until somebody calls `close`, and here
nobody does. The kernel shows every client that was ever here, in CLOSE-WAIT.
"""

from __future__ import annotations

import asyncio
from asyncio import StreamReader, StreamWriter
from contextlib import suppress

from _common import listen


async def serve(reader: StreamReader, writer: StreamWriter) -> None:
    with suppress(OSError, ValueError):
        while (line := await reader.readline()).endswith(b"\n"):
            writer.write(line)
            await writer.drain()


async def main() -> None:
    async with await asyncio.start_server(serve, sock=listen(), limit=1 << 18) as server:
        await server.serve_forever()


asyncio.run(main())
