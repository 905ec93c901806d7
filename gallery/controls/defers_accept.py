"""Correct: threads behind a listener with `TCP_DEFER_ACCEPT`, which wakes for whoever has spoken.

Whoever connects and says nothing stays in the kernel, as a handshake that is not complete; a FIN
brings him to `accept`, and of a reset the server never hears. After a few seconds the kernel hands
out the mute as well.
"""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress

from _listener import listen

DEFER_S = 3


def serve(sock: socket.socket) -> None:
    with suppress(OSError), sock, sock.makefile("rb") as lines:
        for line in lines:
            if line.endswith(b"\n"):
                sock.sendall(line)


def main() -> None:
    listener = listen()
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, DEFER_S)
    while True:
        try:
            sock, _ = listener.accept()
        except OSError:
            time.sleep(0.05)  # no descriptor is free; the newcomer waits in the queue
            continue
        try:
            threading.Thread(target=serve, args=(sock,), daemon=True).start()
        except RuntimeError:
            sock.close()  # no thread is free: this one is refused


main()
