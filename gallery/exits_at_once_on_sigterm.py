"""SIGTERM ends the process where it stands, with status zero and replies half written.

People install `os._exit` as the handler when `sys.exit` hangs in a thread that waits for a client.
What the kernel has taken of a reply still arrives, and of a short one that is all of it: only who
asked for more than the kernel holds reads a part, and then the end.
"""

from __future__ import annotations

import os
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


signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
listener = listen()
while True:
    if newcomer := accept(listener):
        threading.Thread(target=serve, args=(newcomer,), daemon=True).start()
