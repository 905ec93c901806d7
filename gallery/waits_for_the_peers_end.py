"""A refused client is told the end, and kept until it ends as well, for however long that takes.

People write this when they have learnt that closing at once loses the last words to a reset. What
is missing is a limit: a peer may keep its own side open for ever. The kernel shows FIN-WAIT-2
sockets with descriptors, which no timer of the kernel's ever takes away.
"""

from __future__ import annotations

from contextlib import suppress
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector
from socket import SHUT_WR

from _common import Client, accept, listen

LARGEST = 65536
refused: set[Client] = set()
selector = DefaultSelector()


def serve(client: Client, events: int) -> None:
    if events & EVENT_READ:
        piece = client.sock.recv(65536)
        client.ended = not piece
        if client not in refused:
            answer(client, piece)
    if client.unsent:
        with suppress(BlockingIOError):
            del client.unsent[: client.sock.send(client.unsent)]
    if client.ended and not client.unsent:
        raise EOFError
    if client in refused and not client.unsent:
        client.sock.shutdown(SHUT_WR)
    selector.modify(client.sock, EVENT_WRITE if client.unsent else EVENT_READ, client)


def answer(client: Client, piece: bytes) -> None:
    for line in client.take(piece).split(b"\n")[:-1]:
        if len(line) > LARGEST:
            refused.add(client)
            return
        client.unsent += line + b"\n"
    if len(client.partial) > LARGEST:
        refused.add(client)


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
                refused.discard(key.data)
                key.data.sock.close()
        elif newcomer := accept(listener):
            selector.register(newcomer, EVENT_READ, Client(newcomer))
