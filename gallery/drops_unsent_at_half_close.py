"""At the end of input the connection is closed, with the replies that are still in its buffer.

People write this because the end of input is the end of the connection, in most programs. But a
peer that has shut down its sending side alone is waiting for the answer. The kernel sees nothing
wrong; the reply ends early, and only if it was too long for the socket's buffer.
"""

from __future__ import annotations

from contextlib import suppress
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector

from _common import Client, accept, listen

ENOUGH = 8 * 1024 * 1024  # unsent bytes at which a client is read no more
selector = DefaultSelector()


def serve(client: Client, events: int) -> None:
    if events & EVENT_READ:
        piece = client.sock.recv(65536)
        if not piece:
            raise EOFError
        client.unsent += client.take(piece)
    if client.unsent:
        with suppress(BlockingIOError):
            del client.unsent[: client.sock.send(client.unsent)]
    wanted = EVENT_READ if len(client.unsent) < ENOUGH else 0
    if client.unsent:
        wanted |= EVENT_WRITE
    selector.modify(client.sock, wanted, client)


listener = listen()
listener.setblocking(False)
selector.register(listener, EVENT_READ)
while True:
    for key, events in selector.select():
        if key.fileobj is not listener:
            try:
                serve(key.data, events)
            except (OSError, EOFError):
                selector.unregister(key.fileobj)
                key.data.sock.close()
        elif newcomer := accept(listener):
            selector.register(newcomer, EVENT_READ, Client(newcomer))
