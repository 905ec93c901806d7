"""An echo server of lines on trio: `trio_server ADDRESS PORT`."""

from __future__ import annotations

import sys

import trio

from bench.contestants.framing import Lines


async def echo(stream: trio.SocketStream) -> None:
    """Serve one connection, in a task of its own."""
    lines = Lines()
    try:
        async for data in stream:
            whole = lines.feed(data)
            if whole:
                await stream.send_all(whole)
    except trio.BrokenResourceError:
        pass


async def serve(address: str, port: int) -> None:
    """Serve for ever."""
    await trio.serve_tcp(echo, port, host=address, backlog=4096)


if __name__ == "__main__":
    trio.run(serve, sys.argv[1], int(sys.argv[2]))
