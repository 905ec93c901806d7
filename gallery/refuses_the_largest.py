"""The largest message that is promised is refused: its newline is counted too.

People write this because a line is read with its newline, and the limit is compared with what was
read. Every other size works, and nobody sends exactly the largest, until somebody does. The kernel
shows an orderly close by the server; the message gets no reply.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from socket import socket

from _common import accept, listen, refuse

LARGEST = 1024 * 1024


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
