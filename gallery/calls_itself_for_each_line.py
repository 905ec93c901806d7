"""When a line is answered, the function calls itself for the next one in the buffer.

People write this in the style of callbacks, where the last thing that each does is to start the
next. With a few lines in a segment it works; a thousand are deeper than the stack. The kernel
shows all connections closed at once, and the log ends in a RecursionError.
"""

from __future__ import annotations

from contextlib import suppress
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector

from _common import Client, accept, listen

selector = DefaultSelector()


def answer_next(client: Client) -> None:
    line, newline, rest = client.partial.partition(b"\n")
    if newline:
        client.unsent += line + newline
        client.partial = rest
        answer_next(client)


def serve(client: Client, events: int) -> None:
    if events & EVENT_READ:
        piece = client.sock.recv(65536)
        client.ended = not piece
        client.partial += piece
        answer_next(client)
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
