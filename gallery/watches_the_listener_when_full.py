"""When forty-five clients are served, newcomers wait in the queue; the listener is still watched.

People write this as one more condition before `accept`. Those who wait do get their turn, and
nobody is refused. But the listener is readable for as long as they wait, and the loop never sleeps.
The kernel shows a core that is used up with nobody speaking, and an accept queue that is not empty.
"""

from __future__ import annotations

from contextlib import suppress
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector

from _common import Client, accept, listen

MOST = 45
clients: set[Client] = set()
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


listener = listen()
listener.setblocking(False)
selector.register(listener, EVENT_READ)
while True:
    for key, events in selector.select():
        if key.fileobj is not listener:
            try:
                serve(key.data, events)
            except (OSError, EOFError):
                clients.remove(key.data)
                selector.unregister(key.fileobj)
                key.data.sock.close()
        elif len(clients) < MOST and (newcomer := accept(listener)):
            clients.add(client := Client(newcomer))
            selector.register(newcomer, EVENT_READ, client)
