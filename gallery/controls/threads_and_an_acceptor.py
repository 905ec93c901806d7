"""Correct: a thread for each client, one that accepts, and the main thread waits for SIGTERM.

At SIGTERM the receiving side of each connection is shut down: a thread that waits for a request
sees the end of input, and one that writes a reply finishes it first. Who has not finished within
the grace time is left. There may be some five hundred clients; the next one is closed at once.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from contextlib import suppress

from _listener import listen

MOST, GRACE_S = 512, 1.5
clients: dict[socket.socket, threading.Thread] = {}
changing = threading.Lock()
stop = threading.Event()


def serve(sock: socket.socket) -> None:
    try:
        with suppress(OSError), sock.makefile("rb") as lines:
            for line in lines:
                if line.endswith(b"\n"):
                    sock.sendall(line)
    finally:
        with changing:
            del clients[sock]
        sock.close()


def accept_all(listener: socket.socket) -> None:
    while not stop.is_set():
        try:
            sock, _ = listener.accept()
        except OSError:
            time.sleep(0.05)  # no descriptor is free, or the end: the newcomer waits in the queue
            continue
        with changing:
            thread = threading.Thread(target=serve, args=(sock,), daemon=True)
            if len(clients) == MOST or stop.is_set():
                sock.close()
                continue
            clients[sock] = thread
            try:
                thread.start()
            except RuntimeError:  # no thread is free: this one is refused
                del clients[sock]
                sock.close()


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    listener = listen()
    accepting = threading.Thread(target=accept_all, args=(listener,))
    accepting.start()
    stop.wait()
    end = time.monotonic() + GRACE_S
    listener.shutdown(socket.SHUT_RDWR)  # wakes up `accept`
    accepting.join()
    listener.close()
    with changing:
        for sock in clients:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RD)
        threads = list(clients.values())
    for thread in threads:
        thread.join(max(0, end - time.monotonic()))
    os._exit(0)  # without waiting for those who do not read


main()
