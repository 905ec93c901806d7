"""SIGTERM ends the accepting, and then all threads are joined, also those that wait for a client.

People write this so that replies in flight are finished, and it does that. But a thread whose
client says nothing waits in `recv`, and its `join` waits as well: one idle client keeps the server
from ending. The kernel shows no listener, the process alive, and a thread in `recvfrom`.
"""

from __future__ import annotations

import signal
import socket
import threading
from contextlib import suppress

from _common import accept, listen

threads: set[threading.Thread] = set()
stop = threading.Event()


def serve(sock: socket.socket) -> None:
    with sock, sock.makefile("rb") as lines, suppress(OSError):
        for line in lines:
            if line.endswith(b"\n"):
                sock.sendall(line)
    threads.discard(threading.current_thread())


def accept_all(listener: socket.socket) -> None:
    while not stop.is_set():
        if newcomer := accept(listener):
            thread = threading.Thread(target=serve, args=(newcomer,))
            threads.add(thread)
            thread.start()


signal.signal(signal.SIGTERM, lambda *_: stop.set())
listener = listen()
accepting = threading.Thread(target=accept_all, args=(listener,))
accepting.start()
stop.wait()
listener.shutdown(socket.SHUT_RDWR)  # wakes up `accept`
accepting.join()
listener.close()
for thread in threads.copy():
    thread.join()
