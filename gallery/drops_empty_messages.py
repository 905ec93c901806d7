"""An empty line is taken for nothing to do, and gets no reply.

People write this against an error that an empty message once caused further down. A client that
waits for one reply to each message waits for ever. The kernel shows empty queues, and both sides
waiting for each other.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from socket import socket

from _common import accept, listen


def serve(sock: socket) -> None:
    with sock, sock.makefile("rb") as lines, suppress(OSError):
        for line in lines:
            if line.endswith(b"\n") and (message := line.removesuffix(b"\n")):
                sock.sendall(message + b"\n")


listener = listen()
while True:
    if newcomer := accept(listener):
        threading.Thread(target=serve, args=(newcomer,), daemon=True).start()
