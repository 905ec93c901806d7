"""SIGTERM is obeyed in good order, and the exit status says that something went wrong.

People write this after the shell's convention of 128 and the signal's number, which is what a shell
reports of a process that was killed. One that has finished its work should exit with zero: service
managers take anything else for a crash. The kernel shows an exit with status 143.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from contextlib import suppress

from _common import accept, listen, refuse

GRACE_S = 1.5
LARGEST = 8 * 1024 * 1024
clients: dict[socket.socket, threading.Thread] = {}
stop = threading.Event()


def serve(sock: socket.socket) -> None:
    with sock, sock.makefile("rb") as lines, suppress(OSError):
        while line := lines.readline(LARGEST + 1):
            if line.endswith(b"\n"):
                sock.sendall(line)
            elif len(line) > LARGEST:
                refuse(sock)
                break
    del clients[sock]


def accept_all(listener: socket.socket) -> None:
    while not stop.is_set():
        if newcomer := accept(listener):
            clients[newcomer] = threading.Thread(target=serve, args=(newcomer,), daemon=True)
            clients[newcomer].start()


signal.signal(signal.SIGTERM, lambda *_: stop.set())
listener = listen()
accepting = threading.Thread(target=accept_all, args=(listener,), daemon=True)
accepting.start()
stop.wait()
end = time.monotonic() + GRACE_S
listener.shutdown(socket.SHUT_RDWR)  # wakes up `accept`
accepting.join()
listener.close()
threads = list(clients.values())
for sock in list(clients):
    with suppress(OSError):
        sock.shutdown(socket.SHUT_RD)  # wakes up `recv`; a reply under way is finished
for thread in threads:
    thread.join(max(0, end - time.monotonic()))
os._exit(128 + signal.SIGTERM)
