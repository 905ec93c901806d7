"""When the socket's buffer is full, the server sleeps for a moment and tries again.

People write this to cure a `BlockingIOError`: the exception is gone, and the reply goes out. But
the sleep is everybody's: one client that does not read holds up all others, and the non-blocking
server blocks. The kernel shows a process in `clock_nanosleep`, again and again.
"""

from __future__ import annotations

import time
from selectors import EVENT_READ, DefaultSelector

from _common import Client, accept, listen

selector = DefaultSelector()


def serve(client: Client) -> None:
    piece = client.sock.recv(65536)
    if not piece:
        raise EOFError
    client.unsent += client.take(piece)
    while client.unsent:
        try:
            del client.unsent[: client.sock.send(client.unsent)]
        except BlockingIOError:
            time.sleep(0.01)


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
