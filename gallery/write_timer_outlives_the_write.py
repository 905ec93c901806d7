"""A client that does not take its replies is removed in time, and so is one that has taken them.

People write this when the timer is set where a write does not fit, and renewed while it goes on;
nobody clears it where it is done. Who was slow once and has long caught up is cut off in the midst
of talking. The kernel shows the server's FIN on a connection with nothing unsent.
"""

from __future__ import annotations

import time
from contextlib import suppress
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector

from _common import Client, accept, listen, progress_in_small_steps

IDLE_S = 1.8
active: dict[Client, float] = {}
stuck: dict[Client, float] = {}
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
        if client.unsent:
            stuck[client] = time.monotonic()
    if client.ended and not client.unsent:
        raise EOFError
    selector.modify(client.sock, EVENT_WRITE if client.unsent else EVENT_READ, client)


def close(client: Client) -> None:
    active.pop(client, None)
    stuck.pop(client, None)
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
            active[client := Client(newcomer)] = time.monotonic()
            selector.register(newcomer, EVENT_READ, client)
    since = time.monotonic() - IDLE_S
    for client in {c for timers in (active, stuck) for c, last in timers.items() if last < since}:
        close(client)
