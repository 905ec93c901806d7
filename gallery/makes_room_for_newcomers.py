"""When no descriptor is free, the client that has been there for longest is closed.

People write this so that newcomers are always let in; a cache would do the same. The oldest is not
the idlest: it may be in the midst of its work, and nobody asked it. The kernel shows connections
that the server ended while their clients were talking.
"""

from __future__ import annotations

import errno
from contextlib import suppress
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector
from socket import socket

from _common import Client, listen

clients: list[Client] = []
selector = DefaultSelector()


def serve(client: Client, events: int) -> None:
    if events & EVENT_READ:
        piece = client.sock.recv(65536)
        client.ended = not piece
        client.unsent += client.take(piece)
    with suppress(BlockingIOError):
        while client.unsent:
            del client.unsent[: client.sock.send(client.unsent)]
    if client.ended and not client.unsent:
        raise EOFError
    selector.modify(client.sock, EVENT_WRITE if client.unsent else EVENT_READ, client)


def close(client: Client) -> None:
    clients.remove(client)
    selector.unregister(client.sock)
    client.sock.close()


def welcome(listener: socket) -> None:
    try:
        newcomer, _ = listener.accept()
    except OSError as error:
        if error.errno == errno.EMFILE and clients:
            close(clients[0])
        return
    newcomer.setblocking(False)
    clients.append(client := Client(newcomer))
    selector.register(newcomer, EVENT_READ, client)


listener = listen()
listener.setblocking(False)
selector.register(listener, EVENT_READ)
while True:
    for key, events in selector.select():
        if key.fileobj is listener:
            welcome(listener)
        elif key.data in clients:
            try:
                serve(key.data, events)
            except (OSError, EOFError):
                close(key.data)
