"""The listener is watched edge-triggered, and each wake-up accepts one newcomer.

People write this when they turn a level-triggered loop to `EPOLLET` for speed. The edge is the
change from an empty queue to a filled one: of several newcomers who arrive together one is served,
and the others wait until somebody else knocks. The kernel shows them in the accept queue, for ever.
"""

from __future__ import annotations

import select
from contextlib import suppress

from _common import Client, accept, listen

clients: dict[int, Client] = {}
epoll = select.epoll()


def serve(client: Client, events: int) -> None:
    if events & ~select.EPOLLOUT and not client.unsent:
        piece = client.sock.recv(65536)
        client.ended = not piece
        client.unsent += client.take(piece)
    if client.unsent:
        with suppress(BlockingIOError):
            del client.unsent[: client.sock.send(client.unsent)]
    if client.ended and not client.unsent:
        raise EOFError
    epoll.modify(client.sock, select.EPOLLOUT if client.unsent else select.EPOLLIN)


listener = listen()
listener.setblocking(False)
epoll.register(listener, select.EPOLLIN | select.EPOLLET)
while True:
    for number, events in epoll.poll():
        if number != listener.fileno():
            try:
                serve(clients[number], events)
            except (OSError, EOFError):
                clients.pop(number).sock.close()
        elif newcomer := accept(listener):
            clients[newcomer.fileno()] = Client(newcomer)
            epoll.register(newcomer, select.EPOLLIN)
