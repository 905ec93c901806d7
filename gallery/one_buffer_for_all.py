"""All clients share one buffer for the line that has no end yet.

People write this when a script for one client grows into a server: the variable at the top of the
file stays where it was. As long as lines come whole nobody notices. The kernel sees nothing wrong;
two clients who speak at once get each other's words.
"""

from __future__ import annotations

from contextlib import suppress
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector

from _common import Client, accept, listen

partial = b""
selector = DefaultSelector()


def serve(client: Client, events: int) -> None:
    global partial
    if events & EVENT_READ:
        piece = client.sock.recv(65536)
        client.ended = not piece
        *lines, partial = (partial + piece).split(b"\n")
        client.unsent += b"".join(line + b"\n" for line in lines)
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
