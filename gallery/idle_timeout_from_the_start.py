"""The idle timeout is put around the whole conversation: it counts from the connect.

People write this because one `asyncio.timeout` around the loop looks like one inside of it. Whoever
keeps a connection for longer than the idle timeout is cut off, however much is said on it. The
kernel shows an orderly close by the server, always after the same time.
"""

from __future__ import annotations

import asyncio
from asyncio import StreamReader, StreamWriter

from _common import listen

IDLE_S = 1.8


async def serve(reader: StreamReader, writer: StreamWriter) -> None:
    try:
        async with asyncio.timeout(IDLE_S):
            while (line := await reader.readline()).endswith(b"\n"):
                writer.write(line)
                await writer.drain()
    except TimeoutError:
        writer.transport.abort()
    except (OSError, ValueError):
        pass
    writer.close()


async def main() -> None:
    async with await asyncio.start_server(serve, sock=listen(), limit=2**20) as server:
        await server.serve_forever()


asyncio.run(main())
