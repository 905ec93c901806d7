"""One task reads and one writes; when the reader comes to the end, it cancels the writer.

People write this to leave no task behind. But the end of input says that the peer will ask no more,
not that it has its answers: those that still wait in the queue between the tasks are dropped. The
kernel sees nothing wrong; after a half-close the last replies are missing.
"""

from __future__ import annotations

import asyncio
from asyncio import Queue, StreamReader, StreamWriter
from contextlib import suppress

from _common import listen


async def answer(replies: Queue[bytes], writer: StreamWriter) -> None:
    with suppress(OSError):
        while True:
            writer.write(await replies.get())
            await writer.drain()


async def serve(reader: StreamReader, writer: StreamWriter) -> None:
    replies: Queue[bytes] = Queue(maxsize=16)
    answering = asyncio.create_task(answer(replies, writer))
    with suppress(OSError, ValueError):
        while (line := await reader.readline()).endswith(b"\n") and not answering.done():
            await replies.put(line)
    answering.cancel()
    writer.close()


async def main() -> None:
    async with await asyncio.start_server(serve, sock=listen(), limit=2**20) as server:
        await server.serve_forever()


asyncio.run(main())
