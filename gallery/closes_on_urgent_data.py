"""The third list of `select` is taken for "sockets with an error", and they are closed.

People write this because the parameter is called exceptional conditions, and well-known examples
treat it so. For TCP it means that urgent data has come, and nothing else. The kernel shows an
orderly close by the server, of a connection on which nothing was wrong.
"""

from __future__ import annotations

import select
from contextlib import suppress
from socket import socket

from _common import Client, accept, listen

ROOM = 1000  # more than this `select` cannot watch
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
    reads = [sock for sock, client in clients.items() if not client.unsent]
    writes = [sock for sock, client in clients.items() if client.unsent]
    readable, writable, exceptional = select.select([listener, *reads], writes, list(clients))
    for sock in exceptional:
        clients.pop(sock).sock.close()
    for sock in {*readable, *writable} & clients.keys():
        try:
            serve(clients[sock], sock in readable)
        except (OSError, EOFError):
            clients.pop(sock).sock.close()
    if listener in readable and (newcomer := accept(listener)):
        if newcomer.fileno() < ROOM:
            clients[newcomer] = Client(newcomer)
        else:
            newcomer.close()
