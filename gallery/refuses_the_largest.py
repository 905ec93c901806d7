"""The largest message that is promised is refused: its newline is counted too.

People write this because a line is read with its newline, and the limit is compared with what was
read. Every other size works, and nobody sends exactly the largest, until somebody does. The kernel
shows an orderly close by the server; the message gets no reply.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from socket import SHUT_WR, socket

from _common import accept, listen

LARGEST = 1024 * 1024


def refuse(sock: socket) -> None:
    """End without a reset: a socket that is closed with input unread would send one."""
    sock.shutdown(SHUT_WR)
    sock.settimeout(1)
    for _ in range(256):
        if not sock.recv(65536):
            break


def serve(sock: socket) -> None:
    with sock, sock.makefile("rb") as lines, suppress(OSError):
        while line := lines.readline(LARGEST + 1):
            if len(line) > LARGEST:
                refuse(sock)
                return
            if line.endswith(b"\n"):
                sock.sendall(line)


listener = listen()
while True:
    if newcomer := accept(listener):
        threading.Thread(target=serve, args=(newcomer,), daemon=True).start()
