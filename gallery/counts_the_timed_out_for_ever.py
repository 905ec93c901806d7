"""No more than twenty at a time are served, and who was timed out is never taken off the count.

People write this when the count is lowered at the end of the function, and the time-out returns
from the middle of it. Who leaves by himself is counted rightly. After twenty idle clients all are
refused, by a server that serves nobody. The kernel shows newcomers closed as soon as they come.
"""

from __future__ import annotations

import asyncio

from _common import address

IDLE_S, MOST = 1.8, 20
inside = 0


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    global inside
    if inside >= MOST:
        writer.close()
        return
    inside += 1
    try:
        while (line := await asyncio.wait_for(reader.readline(), IDLE_S)).endswith(b"\n"):
            writer.write(line)
            await asyncio.wait_for(writer.drain(), IDLE_S)
    except TimeoutError:
        writer.transport.abort()
        return
    except ConnectionError:
        pass
    writer.close()
    inside -= 1


async def main() -> None:
    server = await asyncio.start_server(serve, *address(), limit=1 << 25, backlog=1024)
    await server.serve_forever()


asyncio.run(main())
