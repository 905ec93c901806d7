"""One `try` holds the accept loop and all that is done to a newcomer: its failure ends the loop.

People write this because the loop must end when the listener is closed at shutdown, and any
`OSError` will do as the sign. A peer that was reset before it was accepted fails in `getpeername`,
and the thread that accepts is gone. The kernel shows newcomers in the accept queue, for ever.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from socket import socket

from _common import accept, listen

peers: dict[str, socket] = {}


def serve(sock: socket, peer: str) -> None:
    with sock, sock.makefile("rb") as lines, suppress(OSError):
        for line in lines:
            if line.endswith(b"\n"):
                sock.sendall(line)
    del peers[peer]


def accept_all(listener: socket) -> None:
    with suppress(OSError):
        while True:
            if newcomer := accept(listener):
                peer = str(newcomer.getpeername())
                peers[peer] = newcomer
                threading.Thread(target=serve, args=(newcomer, peer), daemon=True).start()


listener = listen()
threading.Thread(target=accept_all, args=(listener,), daemon=True).start()
threading.Event().wait()
