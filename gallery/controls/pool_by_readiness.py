"""Correct: eight threads serve whoever is ready, and no connection has a thread of its own.

A connection is reported once, and again only when the thread that has served it says so: at no time
do two threads look at the same one. What cannot be sent waits in its buffer and not in a thread.
"""

from __future__ import annotations

import select
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from _listener import listen

ENOUGH = 1 << 18
epoll = select.epoll()
clients: dict[int, Client] = {}


class Client:
    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.partial = bytearray()
        self.unsent = bytearray()
        self.ended = False

    def serve(self) -> int:
        """Do what can be done; what to wait for next."""
        if len(self.unsent) < ENOUGH and not self.ended:
            with suppress(BlockingIOError):
                self.take(self.sock.recv(65536))
        if self.unsent:
            with suppress(BlockingIOError):
                del self.unsent[: self.sock.send(self.unsent)]
        if self.ended and not self.unsent:
            raise EOFError
        wanted = select.EPOLLOUT if self.unsent else 0
        if len(self.unsent) < ENOUGH and not self.ended:
            wanted |= select.EPOLLIN
        return wanted

    def take(self, piece: bytes) -> None:
        self.ended = not piece
        ends, newline, rest = piece.rpartition(b"\n")
        if newline:
            self.unsent += self.partial + ends + newline
            self.partial.clear()
        self.partial += rest


def work(number: int) -> None:
    client = clients[number]
    try:
        epoll.modify(number, client.serve() | select.EPOLLONESHOT)
    except (OSError, EOFError):
        del clients[number]
        epoll.unregister(number)
        client.sock.close()


def main() -> None:
    listener = listen()
    listener.setblocking(False)
    epoll.register(listener, select.EPOLLIN)
    with ThreadPoolExecutor(max_workers=8) as pool:
        while True:
            for number, _ in epoll.poll():
                if number != listener.fileno():
                    pool.submit(work, number)
                    continue
                try:
                    sock, _ = listener.accept()
                except OSError:
                    time.sleep(0.05)  # no descriptor is free; the newcomer waits in the queue
                    continue
                sock.setblocking(False)
                clients[sock.fileno()] = Client(sock)
                epoll.register(sock, select.EPOLLIN | select.EPOLLONESHOT)


main()
