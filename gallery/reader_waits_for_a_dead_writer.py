"""Two threads for each client: one reads and fills a short queue, the other empties it.

People write this in languages with channels. When the write fails the writer returns, and the
reader, whose queue is full, waits for a place in it that nobody will make. The kernel shows dead
connections with their descriptors open, and for each a thread in `futex`.
"""

from __future__ import annotations

import queue
import threading
from contextlib import suppress
from socket import socket

from _common import accept, listen


def write(sock: socket, replies: queue.Queue[bytes]) -> None:
    with suppress(OSError):
        while line := replies.get():
            sock.sendall(line)


def serve(sock: socket) -> None:
    replies: queue.Queue[bytes] = queue.Queue(maxsize=2)
    writer = threading.Thread(target=write, args=(sock, replies), daemon=True)
    writer.start()
    with sock, sock.makefile("rb") as lines, suppress(OSError):
        for line in lines:
            if line.endswith(b"\n"):
                replies.put(line)
        replies.put(b"")
        writer.join()


listener = listen()
while True:
    if newcomer := accept(listener):
        threading.Thread(target=serve, args=(newcomer,), daemon=True).start()
