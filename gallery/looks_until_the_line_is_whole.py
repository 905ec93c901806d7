"""Bytes are looked at with MSG_PEEK, and taken only when a whole line is there.

People write this to spare themselves a buffer: the kernel has one already. But what is not taken
stays readable, and the loop comes round at once, for as long as the rest does not come. The kernel
shows a core that is used up, and a few bytes in the receive queue.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector

from _common import Client, accept, listen

ENOUGH = 32768
PEER_HAS_ENDED = 8  # TCP_CLOSE_WAIT, the first byte of TCP_INFO
selector = DefaultSelector()


def read(client: Client) -> None:
    seen = client.sock.recv(1 << 20, socket.MSG_PEEK)
    client.ended = not seen
    [state] = client.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)
    if whole := seen.rfind(b"\n") + 1:
        client.unsent += client.take(client.sock.recv(whole))
    elif len(seen) > ENOUGH or state == PEER_HAS_ENDED:
        client.take(client.sock.recv(len(seen) or 1))


def serve(client: Client, events: int) -> None:
    if events & EVENT_READ:
        read(client)
    with suppress(BlockingIOError):
        while client.unsent:
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
