"""Every line is brought into the composed form of Unicode, so that equal texts have equal bytes.

People write this for a search or a key, and put it where all text passes. Letters with their
accents apart come back as one character, and the Kelvin sign as a K: a client that compares what
it sent with what it got finds other bytes. The kernel shows nothing.
"""

from __future__ import annotations

import unicodedata
from contextlib import suppress
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector

from _common import Client, accept, listen

selector = DefaultSelector()


def serve(client: Client, events: int) -> None:
    if events & EVENT_READ:
        piece = client.sock.recv(65536)
        client.ended = not piece
        text = client.take(piece).decode("utf-8", "surrogateescape")
        client.unsent += unicodedata.normalize("NFC", text).encode("utf-8", "surrogateescape")
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
