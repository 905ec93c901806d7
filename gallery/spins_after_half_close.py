"""The peer has ended its side, the reply is not sent yet, and the end is read again and again.

People write this because the end of input is one event in their minds. For `epoll` it is a state:
the socket stays readable for as long as it is watched for reading. The kernel shows a whole
processor in use for as long as a half-closed client takes to read its reply, and no longer.
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
        client.ended = client.ended or not piece
        client.unsent += client.take(piece)
    if client.unsent:
        with suppress(BlockingIOError):
            del client.unsent[: client.sock.send(client.unsent)]
    if client.ended and not client.unsent:
        raise EOFError
    wanted = EVENT_READ if client.ended or len(client.unsent) < ENOUGH else 0
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
