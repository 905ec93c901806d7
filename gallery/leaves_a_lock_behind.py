"""A lock around the counting is released after it, unless the counting fails.

People write this with `acquire` and `release` in two lines, instead of `with`. `getpeername` fails
when the peer has reset the connection behind its request: the lock stays locked, and nobody ever
gets a reply again. The kernel shows all threads in `futex`, and not one that could wake them.
"""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import suppress
from socket import socket

from _common import accept, listen

messages: Counter[str] = Counter()
counting = threading.Lock()


def serve(sock: socket) -> None:
    with sock, sock.makefile("rb") as lines, suppress(OSError):
        for line in lines:
            if line.endswith(b"\n"):
                counting.acquire()
                messages[sock.getpeername()[0]] += 1
                counting.release()
                sock.sendall(line)


listener = listen()
while True:
    if newcomer := accept(listener):
        threading.Thread(target=serve, args=(newcomer,), daemon=True).start()
