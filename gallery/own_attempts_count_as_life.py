"""A client's idle timer is set back by the server's own attempts to write, also by failed ones.

People write this with one `touch` at the top of the function that serves a client, which a periodic
retry calls as well. A peer that takes nothing is kept alive by the server itself, for ever. The
kernel shows a full send queue that has not moved for minutes.
"""

from __future__ import annotations

import time
from contextlib import suppress
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector

from _common import Client, accept, listen, progress_in_small_steps

IDLE_S, RETRY_S = 1.7, 0.2
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
    selected = selector.select(RETRY_S) or selector.select(0)  # after SIGCONT the first is empty
    ready = [(key.data, events) for key, events in selected]
    retries = [(client, 0) for client in active if client.unsent]
    for client, events in ready + retries:
        if client is None:
            if newcomer := accept(listener):
                client = Client(newcomer)
                active[client] = time.monotonic()
                selector.register(newcomer, EVENT_READ, client)
        elif client in active:
            try:
                serve(client, events)
            except (OSError, EOFError):
                close(client)
    idle_since = time.monotonic() - IDLE_S
    for client in [client for client, last in active.items() if last < idle_since]:
        close(client)
