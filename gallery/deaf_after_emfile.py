"""`accept` fails for want of a descriptor; the listener is watched no more, to stop the spinning.

People write this after the server has spun, and mean to watch it again when a client has left. That
line is missing: those who are connected are served, and nobody ever joins them. The kernel shows
newcomers in the accept queue, while descriptors are free.
"""

from __future__ import annotations

from contextlib import suppress
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector

from _common import Client, listen

selector = DefaultSelector()


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
selector.register(listener, EVENT_READ)
while True:
    for key, events in selector.select():
        if key.fileobj is listener:
            try:
                newcomer, _ = listener.accept()
            except OSError:
                selector.unregister(listener)
                continue
            newcomer.setblocking(False)
            selector.register(newcomer, EVENT_READ, Client(newcomer))
            continue
        try:
            serve(key.data, events)
        except (OSError, EOFError):
            selector.unregister(key.fileobj)
            key.data.sock.close()
