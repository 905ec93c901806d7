"""A client whose message is too long is closed at once, with the rest of it unread.

People write this because there is nothing more to say. But closing a socket with input unread sends
a reset, and a reset throws away what the peer has not read yet: replies to earlier messages.
The kernel shows the reset, sent by the server right behind the data.
"""

from __future__ import annotations

from contextlib import suppress
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector

from _common import Client, accept, listen

LARGEST = 65536
selector = DefaultSelector()


def serve(client: Client, events: int) -> None:
    if events & EVENT_READ:
        piece = client.sock.recv(65536)
        lines = client.take(piece).splitlines(keepends=True)
        client.ended = not piece or len(client.partial) > LARGEST
        for line in lines:
            if len(line) > LARGEST + 1:
                client.ended = True
                break
            client.unsent += line
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
    for key, events in selector.select():
        if key.fileobj is not listener:
            try:
                serve(key.data, events)
            except (OSError, EOFError):
                selector.unregister(key.fileobj)
                key.data.sock.close()
        elif newcomer := accept(listener):
            selector.register(newcomer, EVENT_READ, Client(newcomer))
