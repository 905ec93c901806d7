"""A new reply is tried at once, also while an older one still waits in the buffer.

People write this as a fast path: the buffer is only for what `send` did not take. When the kernel
has room again, the new reply takes it before the rest of the old one. The kernel sees nothing
wrong; a client that asks ahead and reads slowly gets its replies out of order.
"""

from __future__ import annotations

from contextlib import suppress
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector

from _common import Client, accept, listen

ENOUGH = 1024 * 1024  # unsent bytes at which a client is read no more
selector = DefaultSelector()


def serve(client: Client, events: int) -> None:
    if events & EVENT_READ:
        piece = client.sock.recv(65536)
        client.ended = client.ended or not piece
        reply = client.take(piece)
        with suppress(BlockingIOError):
            reply = reply[client.sock.send(reply) :]
        client.unsent += reply
    if client.unsent:
        with suppress(BlockingIOError):
            del client.unsent[: client.sock.send(client.unsent)]
    if client.ended and not client.unsent:
        raise EOFError
    wanted = EVENT_READ if len(client.unsent) < ENOUGH and not client.ended else 0
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
