"""The listener has no `SO_REUSEADDR`, and the server cannot be started again after a crash.

People write this because it works the first time. Connections that were open when the server ended
keep the port for a while, in FIN-WAIT or TIME-WAIT, although nobody listens on it. The kernel shows
those rows, and `bind` fails with "Address already in use" for a minute.
"""

from __future__ import annotations

import socket
import sys
import threading
from contextlib import suppress

from _common import accept, address


def listen() -> socket.socket:
    host, port = address()
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    if ":" in host:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    try:
        listener.bind((host, port))
        listener.listen(1024)
    except OSError as error:
        sys.exit(f"cannot listen on {host} port {port}: {error.strerror}")
    return listener


def serve(sock: socket.socket) -> None:
    with sock, sock.makefile("rb") as lines, suppress(OSError):
        for line in lines:
            if line.endswith(b"\n"):
                sock.sendall(line)


listener = listen()
while True:
    if newcomer := accept(listener):
        threading.Thread(target=serve, args=(newcomer,), daemon=True).start()
