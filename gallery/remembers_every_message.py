"""Every message is appended to a list, and the list is never cut.

People write this as a history, a cache or a log that will be written later. It is small in each
test, and after a month in production the kernel's out-of-memory killer finds it. The kernel shows
a resident size that rises with every message, whoever sends it.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from socket import socket

from _common import accept, listen

history: list[bytes] = []


def serve(sock: socket) -> None:
    with sock, sock.makefile("rb") as lines, suppress(OSError):
        for line in lines:
            if line.endswith(b"\n"):
                history.append(line)
                sock.sendall(line)


listener = listen()
while True:
    if newcomer := accept(listener):
        threading.Thread(target=serve, args=(newcomer,), daemon=True).start()
