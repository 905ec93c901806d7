"""A peer that vanishes without a word is waited for until the server is restarted.

People write this because a broken connection "gives an error". It does when something is sent; a
server that waits for the next request sends nothing, and without keepalive neither does the kernel.
The kernel shows ESTABLISHED connections without a timer, days after the peer's machine has gone.
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


listener = listen()
while True:
    if newcomer := accept(listener):
        threading.Thread(target=serve, args=(newcomer,), daemon=True).start()
