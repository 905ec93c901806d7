"""The third set of `select` has all clients in it, and nobody looks at what it returns.

People write this because the call wants three lists. A byte of urgent data stays in the third set
until the stream behind it is read, so `select` returns at once, again and again. The kernel shows
a whole core in use, and a connection on which nothing happens.
"""

from __future__ import annotations

import select
from contextlib import suppress
from socket import socket

from _common import Client, accept, listen

MOST = 900
clients: dict[socket, Client] = {}


def serve(client: Client) -> None:
    if not client.unsent:
        piece = client.sock.recv(65536)
        client.ended = not piece
        client.unsent += client.take(piece)
    with suppress(BlockingIOError):
        del client.unsent[: client.sock.send(client.unsent)]
    if client.ended and not client.unsent:
        raise EOFError


listener = listen()
listener.setblocking(False)
while True:
    reading = [listener, *(sock for sock, client in clients.items() if not client.unsent)]
    writing = [sock for sock, client in clients.items() if client.unsent]
    readable, writable, _ = select.select(reading, writing, clients)
    for sock in [*readable, *writable]:
        if sock is listener:
            newcomer = accept(listener)
            if newcomer and len(clients) < MOST:
                clients[newcomer] = Client(newcomer)
            elif newcomer:
                newcomer.close()
            continue
        try:
            serve(clients[sock])
        except (OSError, EOFError):
            clients.pop(sock).sock.close()
