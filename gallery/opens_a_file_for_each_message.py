"""Each message goes through a file of its own on its way to the answer.

People write this because descriptors are plenty. When none is left, a new client can wait in the
queue, but who is connected has been promised service: here the file cannot be opened, and its
client is cut off. The kernel shows an end by the server, and nothing wrong with the connection.
"""

from __future__ import annotations

import tempfile
from contextlib import suppress
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector

from _common import Client, accept, listen

selector = DefaultSelector()


def serve(client: Client, events: int) -> None:
    if events & EVENT_READ:
        piece = client.sock.recv(65536)
        client.ended = not piece
        with tempfile.TemporaryFile() as file:
            file.write(client.take(piece))
            file.seek(0)
            client.unsent += file.read()
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
