"""At the end of input the unfinished line is answered like a finished one.

People write this because `readline` returns what it has when the stream ends, and only a missing
newline tells that the line never came to its end. An order that was cut in two by a dying client is
then carried out. The kernel sees nothing wrong; the reply is one that nobody asked for.
"""

from __future__ import annotations

import asyncio
from asyncio import StreamReader, StreamWriter
from contextlib import suppress

from _common import listen


async def serve(reader: StreamReader, writer: StreamWriter) -> None:
    with suppress(OSError, ValueError):
        while line := await reader.readline():
            writer.write(line.removesuffix(b"\n") + b"\n")
            await writer.drain()
    writer.close()


async def main() -> None:
    async with await asyncio.start_server(serve, sock=listen(), limit=2**24) as server:
        await server.serve_forever()


asyncio.run(main())
