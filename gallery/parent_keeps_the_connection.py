"""Each connection has its own process, and the parent keeps its own copy of the descriptor.

People write this because the child closes the connection, as one can read in its code. But a socket
is closed when its last descriptor is, and the parent's is still there: the peer never gets the end.
The kernel shows CLOSE-WAIT sockets, which belong to the parent alone.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from socket import socket

from _common import accept, listen

children: dict[int, socket] = {}


def serve(sock: socket) -> None:
    with suppress(OSError), sock.makefile("rb") as lines:
        for line in lines:
            if line.endswith(b"\n"):
                sock.sendall(line)
    os._exit(0)


signal.signal(signal.SIGCHLD, signal.SIG_IGN)
listener = listen()
while True:
    newcomer = accept(listener)
    if newcomer is None:
        continue
    try:
        child = os.fork()
    except OSError:
        newcomer.close()  # no process is free: this one is refused
        continue
    if child == 0:
        listener.close()
        for other in children.values():
            other.close()
        serve(newcomer)
    children[child] = newcomer
