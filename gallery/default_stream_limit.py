"""Messages of a megabyte are promised, and asyncio's streams are used as they come.

People write this because `readline` works without a word about limits. Its buffer holds 64 KiB by
default, and a longer line raises `ValueError` instead of being returned. The kernel shows a close
by the server while the client still sends; the message gets no reply.
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
    writer.close()


async def main() -> None:
    async with await asyncio.start_server(serve, sock=listen()) as server:
        await server.serve_forever()


asyncio.run(main())
