"""Vanished peers are found by keepalive, which asks a silent one three times in as many seconds.

People write this because that is what keepalive is for. It asks only while nothing is unsent: a
peer that vanishes in the middle of a reply is for retransmission to give up, after some fifteen
minutes, unless TCP_USER_TIMEOUT says otherwise. The kernel shows bytes unsent and a
retransmission timer.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector

from _common import Client, accept, listen

selector = DefaultSelector()


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
            newcomer.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            newcomer.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1)
            newcomer.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1)
            newcomer.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 1)
            selector.register(newcomer, EVENT_READ, Client(newcomer))
