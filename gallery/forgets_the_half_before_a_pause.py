"""Each message is read under a time-out, so that the server can do something else now and then.

People write this because a time-out looks like a pause between two lines of the program. It ends
the read in the middle, and what had been read was in a variable of the part that was ended. The
client that takes a breath gets the second half of its message for an answer.
"""

from __future__ import annotations

import asyncio
from asyncio import StreamReader, StreamWriter
from contextlib import suppress

from _common import listen

PATIENCE_S = 0.5


async def message(reader: StreamReader) -> bytes:
    read = bytearray()
    while not read.endswith(b"\n"):
        piece = await reader.read(65536)
        if not piece:
            raise EOFError
        read += piece
    return bytes(read)


async def serve(reader: StreamReader, writer: StreamWriter) -> None:
    with suppress(OSError, EOFError):
        while True:
            try:
                lines = await asyncio.wait_for(message(reader), PATIENCE_S)
            except TimeoutError:
                continue
            writer.write(lines)
            await writer.drain()
    writer.close()


async def main() -> None:
    async with await asyncio.start_server(serve, sock=listen()) as server:
        await server.serve_forever()


asyncio.run(main())
