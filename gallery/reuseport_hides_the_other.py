"""The listener has `SO_REUSEPORT`, and a second instance starts without a word.

People write this because it cures "Address already in use" more thoroughly than `SO_REUSEADDR`.
Both instances listen, the kernel deals newcomers out to either, and half of the clients talk to a
server that somebody forgot to stop. The kernel shows two listening sockets on one port.
"""

from __future__ import annotations

import socket
import sys
import threading
from contextlib import suppress

from _common import accept, address


def listen() -> socket.socket:
    host, port = address()
    ipv6 = ":" in host
    family = socket.AF_INET6 if ipv6 else socket.AF_INET
    try:
        return socket.create_server(
            (host, port), family=family, backlog=1024, dualstack_ipv6=ipv6, reuse_port=True
        )
    except OSError as error:
        sys.exit(f"cannot listen on {host} port {port}: {error.strerror}")


def serve(sock: socket.socket) -> None:
    with sock, sock.makefile("rb") as lines, suppress(OSError):
        for line in lines:
            if line.endswith(b"\n"):
                sock.sendall(line)


listener = listen()
while True:
    if newcomer := accept(listener):
        threading.Thread(target=serve, args=(newcomer,), daemon=True).start()
