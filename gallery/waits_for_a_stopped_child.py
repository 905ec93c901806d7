"""Each connection has its own process, and on SIGCHLD the parent waits for one that has ended.

People write this because SIGCHLD means that there is one. A child that is stopped sends it too,
unless SA_NOCLDSTOP is set, and then `wait` blocks until some client leaves. The kernel shows
newcomers in the accept queue, and the parent in `wait4`.
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
        os.wait()


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
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            listener.close()
            serve(newcomer)
            os._exit(0)
