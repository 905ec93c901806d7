"""Each connection has its own process, and each SIGCHLD reaps one of them.

People write this because one child that ends sends one signal. Signals of the same number do not
queue: of those that arrive while one is pending nothing is left, and their children stay. The
kernel shows zombies after every moment in which several clients left.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from socket import socket
from typing import Any

from _common import accept, listen


def reap(*_: Any) -> None:
    with suppress(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def serve(sock: socket) -> None:
    with sock, sock.makefile("rb") as lines, suppress(OSError):
        for line in lines:
            if line.endswith(b"\n"):
                sock.sendall(line)


listener = listen()
signal.signal(signal.SIGCHLD, reap)
while True:
    newcomer = accept(listener)
    if newcomer is None:
        continue
    with newcomer, suppress(BlockingIOError):  # no process is free: this one is refused
        if os.fork() == 0:
            listener.close()
            serve(newcomer)
            os._exit(0)
