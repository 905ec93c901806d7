"""`accept` fails for want of a descriptor, and nobody catches it: the server ends.

People write this because `accept` never fails, until the day on which the limit is reached. Then
all the clients that were connected lose their connections as well. The kernel shows the process's
exit; the traceback says "Too many open files".
"""

from __future__ import annotations

from contextlib import suppress
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector

from _common import Client, listen

selector = DefaultSelector()


def serve(client: Client, events: int) -> None:
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
selector.register(listener, EVENT_READ)
while True:
    for key, events in selector.select():
        if key.fileobj is listener:
            newcomer, _ = listener.accept()
            newcomer.setblocking(False)
            selector.register(newcomer, EVENT_READ, Client(newcomer))
            continue
        try:
            serve(key.data, events)
        except (OSError, EOFError):
            selector.unregister(key.fileobj)
            key.data.sock.close()
