"""A pool of eight threads, and each connection keeps one for as long as it lasts.

People write this to bound the number of threads, with a pool made for short jobs. A connection is
not a short job: while eight clients are connected, silent or not, the ninth is accepted and never
served. The kernel shows its request in the receive queue, and eight threads in `recvfrom`.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from socket import socket

from _common import accept, listen


def serve(sock: socket) -> None:
    with sock, sock.makefile("rb") as lines, suppress(OSError):
        for line in lines:
            if line.endswith(b"\n"):
                sock.sendall(line)


listener = listen()
with ThreadPoolExecutor(max_workers=8) as pool:
    while True:
        if newcomer := accept(listener):
            pool.submit(serve, newcomer)
