"""`TCP_USER_TIMEOUT` is two seconds, to notice the vanished soon; who pauses in reading ends too.

People write this because the manual speaks of data that is not acknowledged. Linux also counts the
time for which the peer keeps its window closed, although it answers every probe: two seconds of
pause are the end. The kernel shows a full send queue, a persist timer, and then ETIMEDOUT.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

from _common import accept, listen


def serve(sock: socket.socket) -> None:
    with sock, sock.makefile("rb") as lines, suppress(OSError):
        for line in lines:
            if line.endswith(b"\n"):
                sock.sendall(line)


listener = listen()  # accepted sockets inherit the options
listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1)
listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1)
listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 1900)
while True:
    if newcomer := accept(listener):
        threading.Thread(target=serve, args=(newcomer,), daemon=True).start()
