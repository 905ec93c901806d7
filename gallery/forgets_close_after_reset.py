"""An orderly end closes the socket; a reset only stops watching it.

People write this when the error branch is added later than the branch for the end of input, by
someone who takes a reset connection for closed already. The kernel's table shows nothing, for a
reset socket leaves it at once; but its descriptor stays in `/proc/PID/fd`, one for each reset.
"""

from __future__ import annotations

from contextlib import suppress
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector

from _common import Client, accept, listen

clients: set[Client] = set()
selector = DefaultSelector()


def serve(client: Client, events: int) -> None:
    if events & EVENT_READ:
        try:
            piece = client.sock.recv(65536)
        except ConnectionResetError:
            selector.unregister(client.sock)
            return
        client.ended = not piece
        client.unsent += client.take(piece)
    if client.unsent:
        with suppress(BlockingIOError):
            del client.unsent[: client.sock.send(client.unsent)]
    if client.ended and not client.unsent:
        close(client)
    else:
        selector.modify(client.sock, EVENT_WRITE if client.unsent else EVENT_READ, client)


def close(client: Client) -> None:
    selector.unregister(client.sock)
    clients.remove(client)
    client.sock.close()


listener = listen()
listener.setblocking(False)
selector.register(listener, EVENT_READ)
while True:
    for key, events in selector.select():
        if key.fileobj is not listener:
            try:
                serve(key.data, events)
            except OSError:
                close(key.data)
        elif newcomer := accept(listener):
            client = Client(newcomer)
            clients.add(client)
            selector.register(newcomer, EVENT_READ, client)
