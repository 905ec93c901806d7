"""Messages are stripped of the spaces around them, not only of the newline.

People write this because `strip()` is what one calls on a line. It takes spaces, tabs and carriage
returns along, on both sides, and a reply differs from the message that it should repeat. The kernel
sees nothing wrong.
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
                sock.sendall(line.strip() + b"\n")


listener = listen()
while True:
    if newcomer := accept(listener):
        threading.Thread(target=serve, args=(newcomer,), daemon=True).start()
