"""Sockets have a time-out of five seconds, and whoever says nothing for so long is ended.

People write this so that no thread waits for ever, and write it down nowhere else. A client that
sends a request now and then, as it may with a server that promises no idle timeout, loses its
connection and learns it at its next request. The kernel shows an orderly end that the server began.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from socket import socket

from _common import accept, listen


def serve(sock: socket) -> None:
    sock.settimeout(5)
    with sock, sock.makefile("rb") as lines, suppress(OSError):
        for line in lines:
            if line.endswith(b"\n"):
                sock.sendall(line)


listener = listen()
while True:
    if newcomer := accept(listener):
        threading.Thread(target=serve, args=(newcomer,), daemon=True).start()
