"""Each piece is decoded on its own, and what cannot be decoded is replaced.

People write this because `errors="replace"` made the exception go away. But TCP cuts a stream
where it likes, also within a character, and both halves of a cut character become U+FFFD. The
kernel sees nothing wrong; the client gets other bytes than it sent, once in a thousand messages.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from socket import socket

from _common import accept, listen


def serve(sock: socket) -> None:
    partial = ""
    with sock, suppress(OSError):
        while piece := sock.recv(65536):
            *lines, last = piece.decode(errors="replace").split("\n")
            if lines:
                lines[0] = partial + lines[0]
                partial = ""
            partial += last
            sock.sendall("".join(f"{line}\n" for line in lines).encode())


listener = listen()
while True:
    if newcomer := accept(listener):
        threading.Thread(target=serve, args=(newcomer,), daemon=True).start()
