"""There may be a hundred clients; a newcomer beyond is told by `shutdown` and forgotten.

People write this because after a `shutdown` in both directions nothing can come or go. The
descriptor is not closed by it, and the list of the refused was meant for a log. The kernel shows
sockets in no table, and their descriptors still open: they are the next who are missing.
"""

from __future__ import annotations

from contextlib import suppress
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector
from socket import SHUT_RDWR, socket

from _common import Client, accept, listen

MOST = 100
selector = DefaultSelector()
refused: list[socket] = []


def serve(client: Client, events: int) -> None:
    if events & EVENT_READ:
        piece = client.sock.recv(65536)
        client.ended = not piece
        client.unsent += client.take(piece)
    if client.unsent:
        with suppress(BlockingIOError):
            del client.unsent[: client.sock.send(client.unsent)]
    if client.ended and not client.unsent:
        raise EOFError
    selector.modify(client.sock, EVENT_WRITE if client.unsent else EVENT_READ, client)


listener = listen()
listener.setblocking(False)
selector.register(listener, EVENT_READ)
while True:
    for key, events in selector.select():
        if key.fileobj is not listener:
            try:
                serve(key.data, events)
            except (OSError, EOFError):
                selector.unregister(key.fileobj)
                key.data.sock.close()
        elif newcomer := accept(listener):
            if len(selector.get_map()) <= MOST:
                selector.register(newcomer, EVENT_READ, Client(newcomer))
                continue
            with suppress(OSError):
                newcomer.shutdown(SHUT_RDWR)
            refused.append(newcomer)
