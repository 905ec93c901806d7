"""Correct: a front that asks a process of its own, over connections that it keeps in a pool.

As a server does that has a database. The pool is filled before the first client comes, so that no
request needs a descriptor more; who finds it empty waits its turn, which comes soon, since one is
taken for nothing but a request that has come whole. The backend listens on a port of its own and
goes on when the front is killed, as databases do.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from contextlib import suppress
from queue import LifoQueue

from _listener import listen

KEPT = 8
pool: LifoQueue[socket.socket] = LifoQueue()


def answer(sock: socket.socket) -> None:
    """The backend's part: each line comes back once it is whole."""
    with sock, sock.makefile("rb") as lines, suppress(OSError):
        for line in lines:
            sock.sendall(line)


def ask(line: bytes) -> bytes:
    """The line as the backend has it."""
    backend = pool.get()
    try:
        backend.sendall(line)
        reply = bytearray()
        while len(reply) < len(line):
            reply += backend.recv(1 << 20)
        return bytes(reply)
    finally:
        pool.put(backend)


def serve(sock: socket.socket) -> None:
    with sock, sock.makefile("rb") as lines, suppress(OSError):
        for line in lines:
            if line.endswith(b"\n"):
                sock.sendall(ask(line))


def run_backend(inner: socket.socket) -> None:
    while True:
        threading.Thread(target=answer, args=(inner.accept()[0],), daemon=True).start()


def main() -> None:
    inner = socket.create_server(("127.0.0.1", 0))
    if os.fork() == 0:
        run_backend(inner)
    where = inner.getsockname()
    inner.close()
    for _ in range(KEPT):
        pool.put(socket.create_connection(where))
    listener = listen()
    while True:
        try:
            sock, _ = listener.accept()
        except OSError:
            time.sleep(0.05)  # no descriptor is free; the newcomer waits in the queue
            continue
        try:
            threading.Thread(target=serve, args=(sock,), daemon=True).start()
        except RuntimeError:
            sock.close()  # no thread is free: this one is refused


main()
