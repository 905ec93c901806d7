"""The listener's backlog is one: there is no room for those who come while the server is busy.

People write this because `listen(1)` is what the tutorial has. Of those who come in
the same moment two find room; the kernel drops the others' SYN, and they try again after 1, 3 and
7 seconds. The kernel counts `ListenOverflows` and `ListenDrops`.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from socket import socket

from _common import accept, listen


def serve(sock: socket) -> None:
    with sock, sock.makefile("rb") as lines, suppress(OSError):
        for line in lines:
            if line.endswith(b"\n"):
                sock.sendall(line)


listener = listen(backlog=1)
while True:
    if newcomer := accept(listener):
        threading.Thread(target=serve, args=(newcomer,), daemon=True).start()
