"""Two workers serve under a parent, and on SIGTERM the parent ends, with status 0.

People write this because Ctrl-C at a terminal reaches the whole group of processes, and all is
gone. A supervisor signals the main process alone: the workers never hear of it, serve on, and
keep the port from whoever is started next. The kernel shows them with another parent, and the
listener still open.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector
from socket import socket

from _common import Client, accept, listen


def serve(client: Client, events: int) -> int:
    if events & EVENT_READ:
        piece = client.sock.recv(65536)
        client.ended = not piece
        client.unsent += client.take(piece)
    if client.unsent:
        with suppress(BlockingIOError):
            del client.unsent[: client.sock.send(client.unsent)]
    if client.ended and not client.unsent:
        raise EOFError
    return EVENT_WRITE if client.unsent else EVENT_READ


def work(listener: socket) -> None:
    selector = DefaultSelector()
    selector.register(listener, EVENT_READ)
    while True:
        for key, events in selector.select():
            if key.fileobj is not listener:
                try:
                    selector.modify(key.fileobj, serve(key.data, events), key.data)
                except (OSError, EOFError):
                    selector.unregister(key.fileobj)
                    key.data.sock.close()
            elif newcomer := accept(listener):
                selector.register(newcomer, EVENT_READ, Client(newcomer))


listener = listen()
listener.setblocking(False)
for _ in range(2):
    if os.fork() == 0:
        work(listener)
signal.signal(signal.SIGTERM, lambda *_: sys.exit())
os.wait()
