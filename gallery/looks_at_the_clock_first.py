"""Idle clients are removed before what they have sent is read.

People write this because the top of the loop is a good place for housekeeping. A server that was
stopped for a while (a debugger, a moved machine, a crowded host) wakes up, finds everybody idle,
and closes all of them, with their requests in the kernel's queues. The kernel shows resets.
"""

from __future__ import annotations

import time
from contextlib import suppress
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector

from _common import Client, accept, listen, progress_in_small_steps

IDLE_S = 1.4
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
    oldest = min(active.values(), default=time.monotonic())
    ready = selector.select(oldest + IDLE_S - time.monotonic())
    idle_since = time.monotonic() - IDLE_S
    for client in [client for client, last in active.items() if last < idle_since]:
        close(client)
    for key, events in ready:
        if key.fileobj is not listener:
            if key.data not in active:
                continue
            try:
                serve(key.data, events)
            except (OSError, EOFError):
                close(key.data)
        elif newcomer := accept(listener):
            client = Client(newcomer)
            active[client] = time.monotonic()
            selector.register(newcomer, EVENT_READ, client)
