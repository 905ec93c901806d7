"""A message is to be whole within three seconds, and the clock starts anew with each piece of it.

People write this when the deadline shares its code with the idle timeout. Whoever sends a byte a
second is never late, and a thousand of those hold a thousand connections for a day. The kernel
shows an old connection on which a byte arrives now and then.
"""

from __future__ import annotations

import time
from contextlib import suppress
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector

from _common import Client, accept, listen, progress_in_small_steps

IDLE_S = 1.8
DEADLINE_S = 3.0
last: dict[Client, float] = {}
selector = DefaultSelector()


def serve(client: Client, events: int) -> None:
    last[client] = time.monotonic()
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


def is_late(client: Client) -> bool:
    return time.monotonic() - last[client] > (DEADLINE_S if client.partial else IDLE_S)


def close(client: Client) -> None:
    selector.unregister(client.sock)
    client.sock.close()
    del last[client]


listener = listen()
progress_in_small_steps(listener)
listener.setblocking(False)
selector.register(listener, EVENT_READ)
while True:
    for key, events in selector.select(0.1 if last else None):
        if key.fileobj is not listener:
            try:
                serve(key.data, events)
            except (OSError, EOFError):
                close(key.data)
        elif newcomer := accept(listener):
            client = Client(newcomer)
            last[client] = time.monotonic()
            selector.register(newcomer, EVENT_READ, client)
    for client in [client for client in last if is_late(client)]:
        close(client)
