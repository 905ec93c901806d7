"""Every client has a thread that reads, and sixteen threads share the work of writing.

People write this because a write takes no time. It takes as long as its client wants: sixteen who
do not read keep all sixteen, and the answers of everybody else wait in a queue inside the
process. The kernel shows sixteen threads in `sendto`, and the others in `futex`.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from socket import socket

from _common import accept, listen

writers = ThreadPoolExecutor(max_workers=16)


def serve(sock: socket) -> None:
    with sock, sock.makefile("rb") as lines, suppress(OSError):
        for line in lines:
            if line.endswith(b"\n"):
                writers.submit(sock.sendall, line).result()


listener = listen()
while True:
    if newcomer := accept(listener):
        threading.Thread(target=serve, args=(newcomer,), daemon=True).start()
