"""`EPOLLRDHUP` says that the peer has ended, and the connection is closed before it is read.

People write this because the flag saves a `recv` that returns nothing. But it is reported together
with `EPOLLIN`, when the last request and the end of input have arrived in one go. The kernel shows
a reset, for the socket was closed with its input unread; the last request is never answered.
"""

from __future__ import annotations

import select
from contextlib import suppress

from _common import Client, accept, listen

clients: dict[int, Client] = {}
epoll = select.epoll()


def serve(client: Client, events: int) -> None:
    if events & (select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR):
        raise EOFError
    if events & select.EPOLLIN:
        client.unsent += client.take(client.sock.recv(65536))
    if client.unsent:
        with suppress(BlockingIOError):
            del client.unsent[: client.sock.send(client.unsent)]
    wanted = select.EPOLLOUT if client.unsent else select.EPOLLIN | select.EPOLLRDHUP
    epoll.modify(client.sock, wanted)


listener = listen()
listener.setblocking(False)
epoll.register(listener, select.EPOLLIN)
while True:
    for number, events in epoll.poll():
        if number != listener.fileno():
            try:
                serve(clients[number], events)
            except (OSError, EOFError):
                clients.pop(number).sock.close()
        elif newcomer := accept(listener):
            clients[newcomer.fileno()] = Client(newcomer)
            epoll.register(newcomer, select.EPOLLIN | select.EPOLLRDHUP)
