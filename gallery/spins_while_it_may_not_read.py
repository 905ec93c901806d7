"""A client whose replies pile up is not read any more, but its socket stays in the set to be read.

People write this when the bound on the replies comes later, as an `if` before the `recv`. The
socket is readable all the time, so the wait returns at once, for a client that nothing can be
done for. The kernel shows a whole core in use, and a receive queue that is full.
"""

from __future__ import annotations

from contextlib import suppress
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector

from _common import Client, accept, listen

selector = DefaultSelector()


ENOUGH = 1 << 18


def serve(client: Client, events: int) -> None:
    if events & EVENT_READ and len(client.unsent) < ENOUGH:
        piece = client.sock.recv(65536)
        client.ended = not piece
        client.unsent += client.take(piece)
    if client.unsent:
        with suppress(BlockingIOError):
            del client.unsent[: client.sock.send(client.unsent)]
    if client.ended and not client.unsent:
        raise EOFError
    wanted = (0 if client.ended else EVENT_READ) | (EVENT_WRITE if client.unsent else 0)
    selector.modify(client.sock, wanted, client)


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
