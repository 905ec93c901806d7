"""Of each message a line of statistics is kept: when it came, how long it took, its length.

People write this for an average, and a few numbers look like nothing beside the messages. They are
a hundred bytes each, and a client that says little says it often. The kernel shows a resident size
that rises by megabytes while kilobytes are sent.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from socket import socket

from _common import accept, listen

statistics: list[tuple[float, float, int]] = []


def serve(sock: socket) -> None:
    with sock, sock.makefile("rb") as lines, suppress(OSError):
        for line in lines:
            if line.endswith(b"\n"):
                begun = time.monotonic()
                sock.sendall(line)
                statistics.append((begun, time.monotonic() - begun, len(line)))


listener = listen()
while True:
    if newcomer := accept(listener):
        threading.Thread(target=serve, args=(newcomer,), daemon=True).start()
