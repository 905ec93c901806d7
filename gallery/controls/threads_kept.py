"""Correct: threads that are kept for the next client, and a reset for who sends too long a message.

A thread that has served its client waits for another; the pool grows with the largest crowd and
never shrinks. The reset is a policy: it comes when the peer's kernel has acknowledged all replies
that it was sent before, so that nothing but the refused message is lost.
"""

from __future__ import annotations

import fcntl
import socket
import struct
import termios
import threading
import time
from contextlib import suppress
from queue import SimpleQueue

from _listener import listen

LARGEST, MOST = 1024 * 1024, 512
newcomers: SimpleQueue[socket.socket] = SimpleQueue()
free = threading.Semaphore(0)  # threads that wait for a client


def work() -> None:
    while True:
        with newcomers.get() as sock, suppress(OSError):
            serve(sock)
        free.release()


def serve(sock: socket.socket) -> None:
    with sock.makefile("rb") as lines:
        while line := lines.readline(LARGEST + 1):
            if line.endswith(b"\n"):
                sock.sendall(line)
            elif len(line) > LARGEST:
                refuse(sock)
                return


def refuse(sock: socket.socket) -> None:
    end = time.monotonic() + 1
    while struct.unpack("i", fcntl.ioctl(sock, termios.TIOCOUTQ, bytes(4)))[0]:
        time.sleep(0.01)
        if time.monotonic() > end:
            break
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def main() -> None:
    listener = listen()
    threads = 0
    while True:
        try:
            sock, _ = listener.accept()
        except OSError:
            time.sleep(0.05)  # no descriptor is free; the newcomer waits in the queue
            continue
        if not free.acquire(blocking=False):
            try:
                if threads == MOST:
                    raise RuntimeError("the pool is full")
                threading.Thread(target=work, daemon=True).start()
            except RuntimeError:
                sock.close()
                continue
            threads += 1
        newcomers.put(sock)


main()
