"""Each message is a task of its own, and its reply is sent when it is ready.

People write this because the tasks are independent and a slow one should not hold up the others.
But the replies have no numbers: a client knows them by their order alone. The kernel sees nothing
wrong; a client that asks ahead gets the short answers first.
"""

from __future__ import annotations

import asyncio
from asyncio import Semaphore, StreamReader, StreamWriter
from contextlib import suppress

from _common import listen, notice_vanished


def work(line: bytes) -> bytes:
    return line.decode(errors="surrogateescape").encode(errors="surrogateescape")


async def answer(line: bytes, writer: StreamWriter, turn: Semaphore) -> None:
    async with turn:
        reply = await asyncio.to_thread(work, line)
        with suppress(OSError):
            writer.write(reply)
            await writer.drain()


async def serve(reader: StreamReader, writer: StreamWriter) -> None:
    tasks: set[asyncio.Task[None]] = set()
    turn = Semaphore(4)
    with suppress(OSError, ValueError):
        while (line := await reader.readline()).endswith(b"\n"):
            task = asyncio.create_task(answer(line, writer, turn))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            if len(tasks) > 16:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    if tasks:
        await asyncio.wait(tasks)
    writer.close()


async def main() -> None:
    listener = listen()
    notice_vanished(listener)
    async with await asyncio.start_server(serve, sock=listener, limit=2**20) as server:
        await server.serve_forever()


asyncio.run(main())
