"""Every message is logged by a `print` that waits for whoever reads the log.

People write this because standard output is a terminal or a file, and never waits. Under a
supervisor it is a pipe, and a pipe whose reader is stuck is full after 64 KiB. The kernel shows
all threads of the server in `write`, on descriptor 1, or waiting for the one that is.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from socket import socket

from _common import accept, listen


def serve(sock: socket) -> None:
    with sock, sock.makefile("rb") as lines, suppress(OSError):
        for line in lines:
            if line.endswith(b"\n"):
                print(time.asctime(), sock.getpeername(), "says", line[:100], flush=True)
                sock.sendall(line)


listener = listen()
while True:
    if newcomer := accept(listener):
        threading.Thread(target=serve, args=(newcomer,), daemon=True).start()
