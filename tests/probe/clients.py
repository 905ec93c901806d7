"""Clients of the subjects, in the test's own process."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Iterator

Address = list[object]


@contextlib.contextmanager
def connected(port: int, count: int = 1, host: str = "127.0.0.1") -> Iterator[list[socket.socket]]:
    """So many connections, closed at the end if they are not closed yet."""
    with contextlib.ExitStack() as stack:
        yield [
            stack.enter_context(socket.create_connection((host, port), timeout=30))
            for _ in range(count)
        ]


def name(client: socket.socket) -> Address:
    """Its address as the probe writes it."""
    return list(client.getsockname()[:2])


def reset(client: socket.socket) -> None:
    """End it by an RST."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
