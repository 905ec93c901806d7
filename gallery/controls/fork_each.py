"""Correct: a process for each connection, as servers were written first.

The child closes the listener and the parent the connection, so that no descriptor lives in two
processes longer than `fork` takes; ignoring SIGCHLD lets the kernel reap the children. A child
waits in `read` or `write` for its own client alone, and nobody else notices.
"""

from __future__ import annotations

import os
import signal
import socket
import time
from contextlib import suppress

from _listener import listen


def serve(sock: socket.socket) -> None:
    with sock, sock.makefile("rb") as lines, suppress(OSError):
        for line in lines:
            if line.endswith(b"\n"):
                sock.sendall(line)


def main() -> None:
    listener = listen()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        try:
            sock, _ = listener.accept()
        except OSError:
            time.sleep(0.05)  # no descriptor is free; the newcomer waits in the queue
            continue
        with sock:
            try:
                child = os.fork()
            except OSError:
                continue  # no process is free: this one is refused
            if child == 0:
                listener.close()
                serve(sock)
                os._exit(0)


main()
