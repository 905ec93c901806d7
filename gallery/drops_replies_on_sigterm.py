"""SIGTERM ends the server at once, with replies under way.

People write this because `sys.exit(0)` in the handler is a clean exit: no traceback, status zero.
But threads that are daemons end with it, wherever they are. The kernel shows the process's exit;
the client reads the part of its reply that the kernel had taken, and then the end.
"""

from __future__ import annotations

import signal
import sys
import threading
from contextlib import suppress
from socket import socket

from _common import accept, listen, refuse

LARGEST = 8 * 1024 * 1024


def serve(sock: socket) -> None:
    with sock, sock.makefile("rb") as lines, suppress(OSError):
        while line := lines.readline(LARGEST + 1):
            if line.endswith(b"\n"):
                sock.sendall(line)
            elif len(line) > LARGEST:
                refuse(sock)
                return


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
listener = listen()
while True:
    if newcomer := accept(listener):
        threading.Thread(target=serve, args=(newcomer,), daemon=True).start()
