"""Connections are watched edge-triggered, and each wake-up reads one piece.

People write this because `EPOLLET` looks like a switch for speed. What one `recv` has left behind
makes no new edge: the server waits for data that has arrived already. The kernel shows bytes in the
receive queue, and a server that waits in `epoll_wait`.
"""

from __future__ import annotations

import select
from contextlib import suppress

from _common import Client, accept, listen

ALWAYS = select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET
ENOUGH = 8 * 1024 * 1024  # unsent bytes at which a client is read no more
clients: dict[int, Client] = {}
epoll = select.epoll()


def serve(client: Client) -> None:
    with suppress(BlockingIOError):
        if len(client.unsent) < ENOUGH:
            piece = client.sock.recv(4096)
            client.ended = not piece
            client.unsent += client.take(piece)
    with suppress(BlockingIOError):
        while client.unsent:
            del client.unsent[: client.sock.send(client.unsent)]
    if client.ended and not client.unsent:
        raise EOFError


listener = listen()
listener.setblocking(False)
epoll.register(listener, select.EPOLLIN)
while True:
    for number, _ in epoll.poll():
        if number != listener.fileno():
            try:
                serve(clients[number])
            except (OSError, EOFError):
                clients.pop(number).sock.close()
        elif newcomer := accept(listener):
            clients[newcomer.fileno()] = Client(newcomer)
            epoll.register(newcomer, ALWAYS)
