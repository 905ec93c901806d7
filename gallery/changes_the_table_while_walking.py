"""The table of clients is walked over for those who are idle, and each is taken out as it is found.

People write this because it reads as it is thought. With one client idle at a time it may go
well, for the walk ends there; with two the table has changed under the walk. The kernel shows all
connections closed at once, and the log says that a dictionary changed size.
"""

from __future__ import annotations

import time
from contextlib import suppress
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector

from _common import Client, accept, listen, progress_in_small_steps

IDLE_S = 1.8
active: dict[Client, float] = {}
selector = DefaultSelector()


def serve(client: Client, events: int) -> None:
    active[client] = time.monotonic()
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


def close(client: Client) -> None:
    selector.unregister(client.sock)
    client.sock.close()
    del active[client]


listener = listen()
progress_in_small_steps(listener)
listener.setblocking(False)
selector.register(listener, EVENT_READ)
while True:
    for key, events in selector.select(0.1 if active else None):
        if key.fileobj is not listener:
            try:
                serve(key.data, events)
            except (OSError, EOFError):
                close(key.data)
        elif newcomer := accept(listener):
            client = Client(newcomer)
            active[client] = time.monotonic()
            selector.register(newcomer, EVENT_READ, client)
    for client, last in active.items():
        if last < time.monotonic() - IDLE_S:
            close(client)
