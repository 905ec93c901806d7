"""Correct: a thread for each client, which has a message answered before it reads the next one.

`send` blocks until the kernel has taken the reply, so that who does not take its replies is not
read from either: what it says meanwhile waits in the kernels, and then in the client itself. That
is the oldest way of keeping memory bounded, and it breaks no promise. Of a message that is too long
nothing is answered; the replies before it are on their way, and the input is read to its end for a
while, since closing on unread bytes would draw a reset that takes them away.
"""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress

from _listener import listen

LARGEST, PIECE, PATIENCE_S = 1024 * 1024, 16384, 2.0


def serve(sock: socket.socket) -> None:
    with sock, suppress(OSError):
        message = bytearray()
        while len(message) <= LARGEST and (piece := sock.recv(PIECE)):
            *whole, rest = piece.split(b"\n")
            for part in whole:
                message += part
                if len(message) > LARGEST:
                    break
                sock.sendall(message + b"\n")
                message.clear()
            else:
                message += rest
        if len(message) > LARGEST:
            refuse(sock)


def refuse(sock: socket.socket) -> None:
    sock.shutdown(socket.SHUT_WR)
    end = time.monotonic() + PATIENCE_S
    while (left := end - time.monotonic()) > 0:
        sock.settimeout(left)
        if not sock.recv(PIECE):
            break


def main() -> None:
    listener = listen()
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
