"""Where the address is in use, it is tried again and again, without a word.

People write this because a restart may come too early, and a second later the port is free. When
another server has it, this one looks alive to whoever started it, and serves nobody. The kernel
shows a process that has no listener.
"""

from __future__ import annotations

import errno
import socket
import threading
import time
from contextlib import suppress

from _common import accept, address


def listen() -> socket.socket:
    host, port = address()
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    while True:
        try:
            return socket.create_server((host, port), family=family, backlog=1024)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            time.sleep(0.5)


def serve(sock: socket.socket) -> None:
    with sock, sock.makefile("rb") as lines, suppress(OSError):
        for line in lines:
            if line.endswith(b"\n"):
                sock.sendall(line)


listener = listen()
while True:
    if newcomer := accept(listener):
        threading.Thread(target=serve, args=(newcomer,), daemon=True).start()
