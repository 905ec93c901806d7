"""The return value of `send` is dropped: what the kernel did not take is lost.

People write this because `send` takes everything, as long as replies are small and peers quick. On
a non-blocking socket with a full buffer it takes a part, or nothing. The kernel sees nothing wrong;
a slow reader's long reply has holes in it.
"""

from __future__ import annotations

from contextlib import suppress
from selectors import EVENT_READ, DefaultSelector

from _common import Client, accept, listen

selector = DefaultSelector()


def serve(client: Client) -> None:
    piece = client.sock.recv(65536)
    if not piece:
        raise EOFError
    with suppress(BlockingIOError):
        client.sock.send(client.take(piece))


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
