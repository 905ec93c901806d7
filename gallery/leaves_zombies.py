"""Each connection has its own process, and nobody asks how it ended.

People write this because a child that has ended is gone, in their minds. For the kernel it waits to
be asked, with its number and its exit status, until the table of processes is full. The kernel
shows one zombie for each client that has been here.
"""

from __future__ import annotations

import os
from contextlib import suppress
from socket import socket

from _common import accept, listen


def serve(sock: socket) -> None:
    with sock, sock.makefile("rb") as lines, suppress(OSError):
        for line in lines:
            if line.endswith(b"\n"):
                sock.sendall(line)


listener = listen()
while True:
    newcomer = accept(listener)
    if newcomer is None:
        continue
    with newcomer, suppress(BlockingIOError):  # no process is free: this one is refused
        if os.fork() == 0:
            listener.close()
            serve(newcomer)
            os._exit(0)
