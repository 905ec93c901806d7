"""Lines that begin with `#` are skipped, as in every file of settings.

People write this because the loop was taken from one that reads such a file. The client that sent
the line waits for an answer that does not come. The kernel shows nothing: all was read, and the
thread waits for the next line.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from socket import socket

from _common import accept, listen


def serve(sock: socket) -> None:
    with sock, sock.makefile("rb") as lines, suppress(OSError):
        for line in lines:
            if line.endswith(b"\n") and not line.startswith(b"#"):
                sock.sendall(line)


listener = listen()
while True:
    if newcomer := accept(listener):
        threading.Thread(target=serve, args=(newcomer,), daemon=True).start()
