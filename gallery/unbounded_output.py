"""`write` without `drain`: the server reads on, whether or not its replies go away.

People write this because `write` never blocks and the tutorial's example works without `drain`. A
client that sends and never reads makes the transport's buffer grow for as long as there is memory.
The kernel shows a full send queue and a resident size that rises with each request.
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
    writer.close()


async def main() -> None:
    async with await asyncio.start_server(serve, sock=listen(), limit=2**24) as server:
        await server.serve_forever()


asyncio.run(main())
