"""Replies are put aside when they are made, and sent when the clock has moved on by a second.

People write this where a loop has a tick anyway, for its timers or its statistics, and sending
there too saves code. Each answer is right, and none is ever later than usual: every client waits
for the tick. The kernel shows a process that sleeps while replies are ready.
"""

from __future__ import annotations

import time
from contextlib import suppress
from selectors import EVENT_READ, DefaultSelector

from _common import Client, accept, listen

TICK_S = 1.0
MOST = 1 << 20
selector = DefaultSelector()
clients: set[Client] = set()


def read(client: Client) -> None:
    piece = client.sock.recv(65536)
    client.ended = not piece
    client.unsent += client.take(piece)
    if client.ended or len(client.unsent) > MOST:
        selector.unregister(client.sock)


def flush(client: Client) -> None:
    with suppress(BlockingIOError):
        while client.unsent:
            del client.unsent[: client.sock.send(client.unsent)]
    if client.ended and not client.unsent:
        raise EOFError
    if not client.ended and len(client.unsent) <= MOST:
        with suppress(KeyError):
            selector.register(client.sock, EVENT_READ, client)


def close(client: Client) -> None:
    with suppress(KeyError):
        selector.unregister(client.sock)
    clients.discard(client)
    client.sock.close()


listener = listen()
listener.setblocking(False)
selector.register(listener, EVENT_READ)
tick = time.monotonic()
while True:
    for key, _ in selector.select(max(0.0, tick - time.monotonic()) if clients else None):
        if key.fileobj is not listener:
            try:
                read(key.data)
            except OSError:
                close(key.data)
        elif newcomer := accept(listener):
            clients.add(client := Client(newcomer))
            selector.register(newcomer, EVENT_READ, client)
    if tick <= time.monotonic():
        tick = time.monotonic() + TICK_S
        for client in list(clients):
            try:
                flush(client)
            except (OSError, EOFError):
                close(client)
