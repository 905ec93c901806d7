"""SIGPIPE has its default action, and ends the server when it writes to a peer that has gone.

People copy `signal(SIGPIPE, SIG_DFL)` from the answer to a question about `head` and a traceback.
A peer that has closed answers the first segment by a reset; the next `send` gets EPIPE, and before
that the signal. The kernel shows a process killed by signal 13: no traceback, no line in the log.
"""

from __future__ import annotations

import signal
import threading
from contextlib import suppress
from socket import socket

from _common import accept, listen


def serve(sock: socket) -> None:
    with sock, sock.makefile("rb") as lines, suppress(OSError):
        for line in lines:
            if line.endswith(b"\n"):
                sock.sendall(line)


signal.signal(signal.SIGPIPE, signal.SIG_DFL)
listener = listen()
while True:
    if newcomer := accept(listener):
        threading.Thread(target=serve, args=(newcomer,), daemon=True).start()
