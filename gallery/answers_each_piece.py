"""Each piece that `recv` returns is taken for one message.

People write this because on their own machine one `send` does arrive as one `recv`. On a real
network a message comes in several pieces, or with a slow sender byte by byte. The kernel sees
nothing wrong; the client gets a reply to each piece, before it has ended its line.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from socket import socket

from _common import accept, listen


def serve(sock: socket) -> None:
    with sock, suppress(OSError):
        while message := sock.recv(65536):
            sock.sendall(message.removesuffix(b"\n") + b"\n")


listener = listen()
while True:
    if newcomer := accept(listener):
        threading.Thread(target=serve, args=(newcomer,), daemon=True).start()
