"""The idle timeout is `settimeout`, and holds for `sendall` as a whole.

People write this because it is one line, and does for `recv` what it says. For `sendall` the time
is that of the entire call: a client that reads a long reply slowly and steadily is cut off in the
middle of it. The kernel shows a send queue that moves all the time, and then the server's close.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from socket import socket

from _common import accept, listen, refuse

IDLE_S = 1.9
LARGEST = 8 * 1024 * 1024


def serve(sock: socket) -> None:
    with sock, sock.makefile("rb") as lines, suppress(OSError):
        sock.settimeout(IDLE_S)
        while line := lines.readline(LARGEST + 1):
            if line.endswith(b"\n"):
                sock.sendall(line)
            elif len(line) > LARGEST:
                refuse(sock)
                return


listener = listen()
while True:
    if newcomer := accept(listener):
        threading.Thread(target=serve, args=(newcomer,), daemon=True).start()
