"""A thread for each client, and one lock for all of them while they write.

People write this to protect a counter, and take the `sendall` in with it. One client that does not
read keeps its thread in `sendall` and all others out of theirs: the threads were for nothing. The
kernel shows one thread in `sendto`, and the rest in `futex`.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from socket import socket

from _common import accept, listen

replies = 0
counting = threading.Lock()


def serve(sock: socket) -> None:
    global replies
    with sock, sock.makefile("rb") as lines, suppress(OSError):
        for line in lines:
            if line.endswith(b"\n"):
                with counting:
                    sock.sendall(line)
                    replies += 1


listener = listen()
while True:
    if newcomer := accept(listener):
        threading.Thread(target=serve, args=(newcomer,), daemon=True).start()
