"""Correct: two dozen processes that wait in `accept` of one listener, each serving one client.

Linux takes the descriptor of the next client when `accept` begins to wait, so that a process which
waits gets one more client after its limit was lowered. Whoever comes beyond two dozen waits in the
queue. The parent does nothing but start another child when one ends, and they end with it.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import time
from contextlib import suppress

from _listener import listen

MANY = 24
PR_SET_PDEATHSIG = 1


def work(listener: socket.socket) -> None:
    while True:
        try:
            sock, _ = listener.accept()
        except OSError:
            time.sleep(0.05)  # no descriptor is free; the newcomer waits in the queue
            continue
        with suppress(OSError), sock, sock.makefile("rb") as lines:
            for line in lines:
                if line.endswith(b"\n"):
                    sock.sendall(line)


def start(listener: socket.socket, parent: int, libc: ctypes.CDLL) -> None:
    if os.fork() == 0:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() == parent:
            work(listener)
        os._exit(1)


def main() -> None:
    listener = listen()
    parent, libc = os.getpid(), ctypes.CDLL(None)
    for _ in range(MANY):
        start(listener, parent, libc)
    while True:
        os.wait()
        start(listener, parent, libc)


main()
