"""After SIGTERM whoever is silent is ended, and whoever has one more request is served once more.

People write this to finish what was begun, and clients that come and go make it look right: in a
moment all are silent. One that talks on without a pause keeps the server alive, and the deployment
that waits for it. The kernel shows the connection, established and busy, long after the signal.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector

from _common import Client, accept, listen

SILENT_S, STUCK_S = 0.3, 1.0
active: dict[Client, float] = {}
selector = DefaultSelector()


def serve(client: Client, events: int) -> None:
    if events & EVENT_READ:
        piece = client.sock.recv(65536)
        client.ended = not piece
        client.unsent += client.take(piece)
    with suppress(BlockingIOError):
        while client.unsent:
            del client.unsent[: client.sock.send(client.unsent)]
    if client.ended and not client.unsent:
        raise EOFError
    active[client] = time.monotonic()
    selector.modify(client.sock, EVENT_WRITE if client.unsent else EVENT_READ, client)


def close(client: Client) -> None:
    del active[client]
    selector.unregister(client.sock)
    client.sock.close()


wake, waker = os.pipe()
os.set_blocking(waker, False)
signal.set_wakeup_fd(waker)
signal.signal(signal.SIGTERM, lambda *_: None)
listener = listen()
listener.setblocking(False)
selector.register(listener, EVENT_READ)
selector.register(wake, EVENT_READ)
stopping = False
while active or not stopping:
    for key, events in selector.select(0.1 if stopping else None):
        if key.fileobj == wake:
            stopping = bool(os.read(wake, 1))
            selector.unregister(listener)
            listener.close()
        elif key.fileobj is listener:
            if newcomer := accept(listener):
                active[client := Client(newcomer)] = time.monotonic()
                selector.register(newcomer, EVENT_READ, client)
        else:
            try:
                serve(key.data, events)
            except (OSError, EOFError):
                close(key.data)
    now = time.monotonic()
    for client, last in list(active.items()):
        if stopping and last + (STUCK_S if client.unsent else SILENT_S) < now:
            close(client)
sys.exit(0)
