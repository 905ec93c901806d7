"""Clients that have left stay in the list of clients, with their buffers.

People write this for a page of statistics that nobody looks at any more. Sockets and descriptors
are closed as they should be; the memory is not given back. The kernel shows a resident size that
rises by the same amount with every thousand connections.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from socket import socket

from _common import Client, accept, listen


class Visitor(Client):
    def __init__(self, sock: socket) -> None:
        super().__init__(sock)
        self.buffer = bytearray(65536)
        self.messages = 0


visitors: list[Visitor] = []


def serve(visitor: Visitor) -> None:
    with visitor.sock as sock, suppress(OSError):
        while count := sock.recv_into(visitor.buffer):
            lines = visitor.take(bytes(visitor.buffer[:count]))
            sock.sendall(lines)
            visitor.messages += lines.count(b"\n")


listener = listen()
while True:
    if newcomer := accept(listener):
        visitors.append(Visitor(newcomer))
        threading.Thread(target=serve, args=(visitors[-1],), daemon=True).start()
