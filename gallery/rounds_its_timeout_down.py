"""The wait lasts until the next client is to be removed, in whole seconds.

People write this because the call that they know takes an int. In the last second the rest is
rounded down to nothing: the wait returns at once, again and again, until the time has come. The
kernel shows nobody overdue, and half of a core in use by a server in which nothing happens.
"""

from __future__ import annotations

import time
from contextlib import suppress
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector

from _common import Client, accept, listen, progress_in_small_steps

IDLE_S = 1.9
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


def timeout() -> int | None:
    if not active:
        return None
    return int(max(0, min(active.values()) + IDLE_S - time.monotonic()))


listener = listen()
progress_in_small_steps(listener)
listener.setblocking(False)
selector.register(listener, EVENT_READ)
while True:
    for key, events in selector.select(timeout()):
        if key.fileobj is not listener:
            try:
                serve(key.data, events)
            except (OSError, EOFError):
                close(key.data)
        elif newcomer := accept(listener):
            client = Client(newcomer)
            active[client] = time.monotonic()
            selector.register(newcomer, EVENT_READ, client)
    idle_since = time.monotonic() - IDLE_S
    for client in [client for client, last in active.items() if last < idle_since]:
        close(client)
