"""The idle timeout is `settimeout`, and holds for `sendall` as a whole.

People write this because it is one line, and does for `recv` what it says. For `sendall` the time
is that of the entire call: a client that reads a long reply slowly and steadily is cut off in the
middle of it. The kernel shows a send queue that moves all the time, and then the server's close.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from socket import socket

from _common import accept, listen

IDLE_S = 1.9


def serve(sock: socket) -> None:
    with sock, sock.makefile("rb") as lines, suppress(OSError):
        sock.settimeout(IDLE_S)
        for line in lines:
            if line.endswith(b"\n"):
                sock.sendall(line)


listener = listen()
while True:
    if newcomer := accept(listener):
        threading.Thread(target=serve, args=(newcomer,), daemon=True).start()
