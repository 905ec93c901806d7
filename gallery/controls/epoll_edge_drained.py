"""Correct: edge-triggered `epoll`, each client in turn, and a close that waits until all is read.

A client stays in line until the kernel has said EAGAIN, and gets one piece at a time: no edge is
missed and nobody starves. One that sends too long a message is told the end, then drained for a
second at most, so that no reset takes away the replies that it had before.
"""

from __future__ import annotations

import select
import socket
import time

from _listener import listen

LARGEST, LINGER_S = 1024 * 1024, 1.0
EDGES = select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET


class Client:
    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.partial = bytearray()
        self.unsent = bytearray()
        self.ended = False
        self.refused_at = 0.0

    def turn(self) -> bool:
        """Send what is there, and read one piece; whether there may be more to do at once."""
        try:
            while self.unsent:
                del self.unsent[: self.sock.send(self.unsent)]
            if self.refused_at and not self.ended:
                self.sock.shutdown(socket.SHUT_WR)
            if self.ended:
                return False
            piece = self.sock.recv(65536)
        except BlockingIOError:
            return False
        self.ended = not piece
        if not self.refused_at:
            self.take(piece)
        return True

    def take(self, piece: bytes) -> None:
        *lines, rest = piece.split(b"\n")
        for line in lines:
            self.partial += line
            if len(self.partial) > LARGEST:
                break
            self.unsent += self.partial + b"\n"
            self.partial.clear()
        else:
            self.partial += rest
        if len(self.partial) > LARGEST:
            self.refused_at = time.monotonic()

    @property
    def done(self) -> bool:
        return self.ended and not self.unsent


def accept_all(listener: socket.socket, epoll: select.epoll, clients: dict[int, Client]) -> None:
    while True:
        try:
            sock, _ = listener.accept()
        except BlockingIOError:
            return
        except OSError:
            time.sleep(0.05)  # no descriptor is free; the newcomer waits in the queue
            return
        sock.setblocking(False)
        clients[sock.fileno()] = Client(sock)
        epoll.register(sock, EDGES)


def main() -> None:
    listener = listen()
    listener.setblocking(False)
    epoll = select.epoll()
    epoll.register(listener, select.EPOLLIN)
    clients: dict[int, Client] = {}
    in_line: dict[int, Client] = {}
    refused: dict[int, Client] = {}

    def close(number: int) -> None:
        clients.pop(number).sock.close()
        in_line.pop(number, None)
        refused.pop(number, None)

    while True:
        for number, _ in epoll.poll(0 if in_line else 0.1 if refused else None):
            if number == listener.fileno():
                accept_all(listener, epoll, clients)
            else:
                in_line[number] = clients[number]
        for number, client in list(in_line.items()):
            try:
                if not client.turn():
                    del in_line[number]
                if client.refused_at:
                    refused[number] = client
                gone = client.done
            except OSError:
                gone = True
            if gone:
                close(number)
        for number, client in list(refused.items()):
            if client.refused_at + LINGER_S < time.monotonic():
                close(number)


main()
