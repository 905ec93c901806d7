"""SIGTERM ends the server at once, with replies in its buffers.

People write this because `sys.exit(0)` in the handler is a clean exit: no traceback, status zero.
But what the server had accepted to do is not done. The kernel shows the process's exit; the client
reads the part of its reply that the kernel had taken, and then the end.
"""

from __future__ import annotations

import signal
import sys
from contextlib import suppress
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector
from types import FrameType

from _common import Client, accept, listen

selector = DefaultSelector()


def terminate(_signal: int, _frame: FrameType | None) -> None:
    sys.exit(0)


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


signal.signal(signal.SIGTERM, terminate)
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
