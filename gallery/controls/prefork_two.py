"""Correct: two workers under a parent that does nothing but replace them.

Both watch the same listener, which does not block: the one that comes second finds nobody and goes
on. When the parent dies, by whatever signal, the kernel ends the workers too, so that no process is
left behind with the port.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import time
from contextlib import suppress
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector

from _listener import listen

PR_SET_PDEATHSIG = 1


class Client:
    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.partial = bytearray()
        self.unsent = bytearray()
        self.ended = False

    def serve(self, events: int) -> int:
        """Do what can be done; what to wait for next."""
        if events & EVENT_READ:
            piece = self.sock.recv(65536)
            self.ended = not piece
            ends, newline, rest = piece.rpartition(b"\n")
            if newline:
                self.unsent += self.partial + ends + newline
                self.partial.clear()
            self.partial += rest
        if self.unsent:
            with suppress(BlockingIOError):
                del self.unsent[: self.sock.send(self.unsent)]
        if self.ended and not self.unsent:
            raise EOFError
        return EVENT_WRITE if self.unsent else EVENT_READ


def work(listener: socket.socket) -> None:
    selector = DefaultSelector()
    selector.register(listener, EVENT_READ)
    while True:
        for key, events in selector.select():
            if key.fileobj is not listener:
                try:
                    selector.modify(key.fileobj, key.data.serve(events), key.data)
                except (OSError, EOFError):
                    selector.unregister(key.fileobj)
                    key.data.sock.close()
                continue
            try:
                sock, _ = listener.accept()
            except BlockingIOError:
                continue
            except OSError:
                time.sleep(0.05)  # no descriptor is free; the newcomer waits in the queue
                continue
            sock.setblocking(False)
            selector.register(sock, EVENT_READ, Client(sock))


def main() -> None:
    listener = listen()
    listener.setblocking(False)
    workers: set[int] = set()
    parent = os.getpid()
    while True:
        while len(workers) < 2:
            worker = os.fork()
            if worker == 0:
                ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
                if os.getppid() == parent:
                    work(listener)
                os._exit(1)
            workers.add(worker)
        ended, _ = os.wait()
        workers.discard(ended)
        time.sleep(0.1)  # do not burn a processor on workers that cannot start


main()
