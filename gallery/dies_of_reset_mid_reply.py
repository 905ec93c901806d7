"""The end of input is handled, an error is not: a reset in the middle of a reply ends the server.

People write this because a client that leaves makes `recv` return nothing; they have tried it. One
that leaves while it is written to makes `send` raise, and nobody catches it. The kernel shows the
process's exit; the traceback says "Connection reset by peer", or "Broken pipe".
"""

from __future__ import annotations

from contextlib import suppress
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector

from _common import Client, accept, listen

selector = DefaultSelector()


def serve(client: Client, events: int) -> None:
    if events & EVENT_READ:
        try:
            piece = client.sock.recv(65536)
        except OSError:
            piece = b""
        client.ended = not piece
        client.unsent += client.take(piece)
    if client.unsent:
        with suppress(BlockingIOError):
            del client.unsent[: client.sock.send(client.unsent)]
    if client.ended and not client.unsent:
        selector.unregister(client.sock)
        client.sock.close()
    else:
        selector.modify(client.sock, EVENT_WRITE if client.unsent else EVENT_READ, client)


listener = listen()
listener.setblocking(False)
selector.register(listener, EVENT_READ)
while True:
    for key, events in selector.select():
        if key.fileobj is not listener:
            serve(key.data, events)
        elif newcomer := accept(listener):
            selector.register(newcomer, EVENT_READ, Client(newcomer))
