"""Descriptors are given to `select` without a look at their numbers.

People write this because the limit is nowhere in their code: `select` works on a table of 1 024
bits, and Python refuses a larger number with `ValueError`. The kernel shows the process's exit as
soon as the client with number 1 024 has connected; all others go with it.
"""

from __future__ import annotations

import select
from contextlib import suppress
from socket import socket

from _common import Client, accept, listen

clients: dict[socket, Client] = {}


def serve(client: Client, readable: bool) -> None:
    if readable:
        piece = client.sock.recv(65536)
        client.ended = not piece
        client.unsent += client.take(piece)
    if client.unsent:
        with suppress(BlockingIOError):
            del client.unsent[: client.sock.send(client.unsent)]
    if client.ended and not client.unsent:
        raise EOFError


listener = listen()
listener.setblocking(False)
while True:
    reads = [listener, *(sock for sock, client in clients.items() if not client.unsent)]
    writes = [sock for sock, client in clients.items() if client.unsent]
    readable, writable, _ = select.select(reads, writes, [])
    if listener in readable:
        readable.remove(listener)
        if newcomer := accept(listener):
            clients[newcomer] = Client(newcomer)
    for sock in readable + writable:
        try:
            serve(clients[sock], sock in readable)
        except (OSError, EOFError):
            clients.pop(sock).sock.close()
