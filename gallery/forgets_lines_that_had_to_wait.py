"""Lines are answered until the output is full; those that are left wait for the next read.

People write this because reading, splitting and answering are one function. When the output has
drained, nobody calls it: the client has said all that it had to say, and waits for its answers.
The kernel shows nothing unread and nothing unsent, and a server asleep.
"""

from __future__ import annotations

from contextlib import suppress
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector

from _common import Client, accept, listen

FULL = 65536
selector = DefaultSelector()


def read(client: Client) -> None:
    piece = client.sock.recv(262144)
    client.ended = not piece
    client.partial += piece
    while len(client.unsent) < FULL:
        line, newline, rest = client.partial.partition(b"\n")
        if not newline:
            break
        client.unsent += line + newline
        client.partial = rest


def serve(client: Client, events: int) -> None:
    if events & EVENT_READ:
        read(client)
    with suppress(BlockingIOError):
        while client.unsent:
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
