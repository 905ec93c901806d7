"""Who could not be written to is watched for writing, and is so for ever after.

People write this because everything works: a client whose replies once did not fit is answered as
quickly as before. But its socket is writable nearly always, and the loop comes round at once, with
nothing to do. The kernel shows a core that is used up while no connection has input.
"""

from __future__ import annotations

from contextlib import suppress
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector

from _common import Client, accept, listen

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
    if client.unsent:
        selector.modify(client.sock, EVENT_WRITE, client)
    elif not events & EVENT_READ:
        selector.modify(client.sock, EVENT_READ | EVENT_WRITE, client)


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
            selector.register(newcomer, EVENT_READ, Client(newcomer))
