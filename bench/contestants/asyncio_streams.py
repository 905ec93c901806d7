"""An echo server of lines on asyncio's streams: `asyncio_streams LOOP ADDRESS PORT`.

LOOP is `asyncio` or `uvloop`. `readline` is how streams take lines, so this one has no framing of
its own; each line is answered by a write.
"""

from __future__ import annotations

import asyncio
import sys

from bench.contestants.event_loop import run

LONGEST = 1 << 20  # bytes of a line, as in our servers


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Serve one connection."""
    try:
        while (line := await reader.readline()).endswith(b"\n"):
            writer.write(line)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


async def serve(address: str, port: int) -> None:
    """Serve for ever."""
    server = await asyncio.start_server(echo, address, port, limit=LONGEST, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    run(sys.argv[1], serve(sys.argv[2], int(sys.argv[3])))
