"""Four threads share the clients, dealt out in turn, and a reset ends the thread that reads it.

People write this because an exception that nobody catches is printed, and the server goes on. It
goes on with three threads, and every fourth client is given to the one that is no more. The
kernel shows requests unread in sockets that are accepted, and nobody who waits for them.
"""

from __future__ import annotations

import itertools
import threading
from selectors import EVENT_READ, DefaultSelector
from socket import socket, socketpair

from _common import Client, accept, listen


class Worker(threading.Thread):
    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.newcomers: list[socket] = []
        self.bell, self.rings = socketpair()
        self.start()

    def run(self) -> None:
        selector = DefaultSelector()
        selector.register(self.rings, EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.data is None:
                    self.rings.recv(1)
                    sock = self.newcomers.pop(0)
                    selector.register(sock, EVENT_READ, Client(sock))
                elif piece := key.data.sock.recv(65536):
                    key.data.sock.sendall(key.data.take(piece))
                else:
                    selector.unregister(key.fileobj)
                    key.data.sock.close()


listener = listen()
for worker in itertools.cycle([Worker() for _ in range(4)]):
    while not (newcomer := accept(listener)):
        pass
    worker.newcomers.append(newcomer)
    worker.bell.send(b"!")
