"""A client that was silent for a second is sent a line, to see whether it is still there.

People write this because a write to a dead peer fails in the end. A client that counts on one
line for each of its own takes the heartbeat for its next reply, and every reply after it for the
next but one. The kernel shows bytes in the client's receive queue before it said a word.
"""

from __future__ import annotations

import time
from contextlib import suppress
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector

from _common import Client, accept, listen

SILENT_S = 1.0
selector = DefaultSelector()
heard: dict[Client, float] = {}


def serve(client: Client, events: int) -> None:
    heard[client] = time.monotonic()
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


listener = listen()
listener.setblocking(False)
selector.register(listener, EVENT_READ)
while True:
    for key, events in selector.select(0.2 if heard else None):
        if key.fileobj is not listener:
            try:
                serve(key.data, events)
            except (OSError, EOFError):
                selector.unregister(key.fileobj)
                del heard[key.data]
                key.data.sock.close()
        elif newcomer := accept(listener):
            client = Client(newcomer)
            heard[client] = time.monotonic()
            selector.register(newcomer, EVENT_READ, client)
    for client, last in heard.items():
        if last < time.monotonic() - SILENT_S:
            heard[client] = time.monotonic()
            client.sock.send(b"ping\n")
