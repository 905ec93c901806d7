"""Idle clients are removed in time, and the timer of one goes away with its last word.

People write this because a client that has ended is as good as gone: only its replies are to be
sent. One that does not read them keeps its descriptor for ever. The kernel shows CLOSE-WAIT with
bytes unsent, long after the idle timeout.
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
    if events & EVENT_READ:
        piece = client.sock.recv(65536)
        client.ended = not piece
        client.unsent += client.take(piece)
    if client.unsent:
        with suppress(BlockingIOError):
            del client.unsent[: client.sock.send(client.unsent)]
    if client.ended and not client.unsent:
        raise EOFError
    if client.ended:
        active.pop(client, None)
    else:
        active[client] = time.monotonic()
    wanted = (0 if client.ended else EVENT_READ) | (EVENT_WRITE if client.unsent else 0)
    selector.modify(client.sock, wanted, client)


def close(client: Client) -> None:
    active.pop(client, None)
    selector.unregister(client.sock)
    client.sock.close()


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
    idle_since = time.monotonic() - IDLE_S
    for client in [client for client, last in active.items() if last < idle_since]:
        close(client)
