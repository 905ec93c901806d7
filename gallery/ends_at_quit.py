"""A client that says `quit` or `exit` is done, so that one can leave from a terminal.

People write this into the first version, for themselves, and it stays. To the protocol these are
lines like all others, and somebody's text has one. The kernel shows an orderly end by the server;
the line and all that came behind it get no answer.
"""

from __future__ import annotations

from contextlib import suppress
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector

from _common import Client, accept, listen

selector = DefaultSelector()


def serve(client: Client, events: int) -> None:
    if events & EVENT_READ:
        piece = client.sock.recv(65536)
        client.ended = not piece
        for line in client.take(piece).splitlines(keepends=True):
            if line.strip().lower() in (b"quit", b"exit"):
                raise EOFError
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
