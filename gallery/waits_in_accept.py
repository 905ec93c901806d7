"""Four workers watch one listener, and whoever finds it readable calls an `accept` that may block.

People write this because the wait has just said that somebody is there. It has said so to all,
and one comes too late: it stands in `accept`, with clients of its own, until somebody else
connects. The kernel shows requests unread, and the worker in `accept4`.
"""

from __future__ import annotations

import os
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
                newcomer.setblocking(False)
                selector.register(newcomer, EVENT_READ, Client(newcomer))


listener = listen()
for _ in range(4):
    if os.fork() == 0:
        work(listener)
os.wait()
