"""A client that is ready is read until there is no more, without a bound.

People write this because it saves wake-ups, and with edge-triggered polling it is even demanded.
But whoever sends faster than the server answers never comes to an end, and is the only one served.
The kernel shows the receive queues of all others filling up, while one descriptor is read.
"""

from __future__ import annotations

from contextlib import suppress
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector

from _common import Client, accept, listen

selector = DefaultSelector()


def serve(client: Client) -> None:
    with suppress(BlockingIOError):
        while not client.ended:
            while client.unsent:
                del client.unsent[: client.sock.send(client.unsent)]
            piece = client.sock.recv(128)
            client.ended = not piece
            for line in client.take(piece).splitlines(keepends=True):
                client.unsent += answer(line)
    if client.ended and not client.unsent:
        raise EOFError
    selector.modify(client.sock, EVENT_WRITE if client.unsent else EVENT_READ, client)


def answer(line: bytes) -> bytes:
    return line


listener = listen()
listener.setblocking(False)
selector.register(listener, EVENT_READ)
while True:
    for key, _ in selector.select():
        if key.fileobj is not listener:
            try:
                serve(key.data)
            except (OSError, EOFError):
                selector.unregister(key.fileobj)
                key.data.sock.close()
        elif newcomer := accept(listener):
            selector.register(newcomer, EVENT_READ, Client(newcomer))
