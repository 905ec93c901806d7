"""`SO_LINGER` with a time of zero, so that no TIME-WAIT is left: each connection ends by a reset.

People write this when they see thousands of TIME-WAIT rows, take them for a leak, and find this
option on the first page of answers. It throws away what the kernel has not delivered yet. The
kernel shows a clean table; a half-closed client gets a reset in place of the end of its reply.
"""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress

from _common import accept, listen


def serve(sock: socket.socket) -> None:
    with sock, sock.makefile("rb") as lines, suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        for line in lines:
            if line.endswith(b"\n"):
                sock.sendall(line)


listener = listen()
while True:
    if newcomer := accept(listener):
        threading.Thread(target=serve, args=(newcomer,), daemon=True).start()
