"""A newcomer's first byte is looked at, to see which protocol it speaks, before it gets a thread.

People write this because every client says something first. One that does not holds up the thread
that accepts, for as long as its time-out, and everybody behind it in the queue. The kernel shows
newcomers never accepted, and the server in `poll` on a connection where nothing has come.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from socket import MSG_PEEK, socket

from _common import accept, listen

PATIENCE_S = 3.0


def serve(sock: socket) -> None:
    with sock, sock.makefile("rb") as lines, suppress(OSError):
        for line in lines:
            if line.endswith(b"\n"):
                sock.sendall(line)


listener = listen()
while True:
    if newcomer := accept(listener):
        try:
            newcomer.settimeout(PATIENCE_S)
            newcomer.recv(1, MSG_PEEK)
            newcomer.settimeout(None)
        except OSError:
            newcomer.close()
            continue
        threading.Thread(target=serve, args=(newcomer,), daemon=True).start()
