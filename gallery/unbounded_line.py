"""A largest message is promised, and nothing checks it while the message is still on its way.

People write this because the check sits where a complete line is handled, and a line that never
ends is never complete. One client that sends without a newline fills the memory of the server. The
kernel shows a resident size that rises for as long as somebody sends.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from socket import socket

from _common import accept, listen, refuse

LARGEST = 1024 * 1024


def serve(sock: socket) -> None:
    with sock, sock.makefile("rb") as lines, suppress(OSError):
        for line in lines:
            if len(line) > LARGEST + 1:
                refuse(sock)
                return
            if line.endswith(b"\n"):
                sock.sendall(line)


listener = listen()
while True:
    if newcomer := accept(listener):
        threading.Thread(target=serve, args=(newcomer,), daemon=True).start()
