"""`SO_LINGER` is set to some seconds, so that `close` loses nothing.

People write this because without it `close` returns at once, and who knows what becomes of the
rest. The kernel sends the rest in any case; with the option the only thread waits in `close`, for
a client that reads when it likes. The kernel shows everybody else's requests unread meanwhile.
"""

from __future__ import annotations

import struct
from contextlib import suppress
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector
from socket import SO_LINGER, SOL_SOCKET

from _common import Client, accept, listen

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
            newcomer.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 8))
            selector.register(newcomer, EVENT_READ, Client(newcomer))
