"""Each connection has its own process, and each of them keeps the listener open.

People write this because the child has no use for the listener, and so no thought. When the parent
is killed its children live on, and with them the port: newcomers are queued where nobody accepts.
The kernel shows one listening socket, with descriptors in processes that never call `accept`.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from socket import socket

from _common import accept, listen


def serve(sock: socket) -> None:
    with sock, sock.makefile("rb") as lines, suppress(OSError):
        for line in lines:
            if line.endswith(b"\n"):
                sock.sendall(line)


signal.signal(signal.SIGCHLD, signal.SIG_IGN)
listener = listen()
while True:
    newcomer = accept(listener)
    if newcomer is None:
        continue
    with newcomer, suppress(BlockingIOError):  # no process is free: this one is refused
        if os.fork() == 0:
            serve(newcomer)
            os._exit(0)
