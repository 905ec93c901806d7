"""What `send` did not take is kept, and sent when the client speaks next.

People write this when the output buffer is added to a server that only ever watched for reading:
the rest goes out "at the next opportunity". A client that waits for its reply says nothing, so the
opportunity never comes. The kernel shows an empty send queue, and the reply has half its length.
"""

from __future__ import annotations

from contextlib import suppress
from selectors import EVENT_READ, DefaultSelector

from _common import Client, accept, listen

ENOUGH = 4 * 1024 * 1024  # unsent bytes at which a client is read no more
selector = DefaultSelector()


def serve(client: Client) -> None:
    if len(client.unsent) < ENOUGH:
        piece = client.sock.recv(65536)
        client.ended = not piece
        client.unsent += client.take(piece)
    if client.unsent:
        with suppress(BlockingIOError):
            del client.unsent[: client.sock.send(client.unsent)]
    if client.ended:
        raise EOFError


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
