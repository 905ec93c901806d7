"""Correct: one client at a time, as the first example of every book has it; the others wait.

It promises as much and no more: one connection, with an idle timeout, so that nobody can keep the
others waiting by silence alone. Idle is who says nothing and takes nothing; what the peer's kernel
takes is seen in the send queue.
"""

from __future__ import annotations

import fcntl
import select
import socket
import struct
import termios
import time
from contextlib import suppress

from _listener import listen

IDLE_S, LOOK_MS = 1.8, 200


def wait(sock: socket.socket, event: int) -> None:
    """Wait until the socket is ready; TimeoutError if its peer does nothing for too long."""
    poller = select.poll()
    poller.register(sock, event)
    active, queued = time.monotonic(), unacked(sock)
    while not poller.poll(LOOK_MS):
        if unacked(sock) != queued:
            active, queued = time.monotonic(), unacked(sock)
        if time.monotonic() - active > IDLE_S:
            if poller.poll(0):  # it was this process that slept
                return
            raise TimeoutError


def unacked(sock: socket.socket) -> int:
    """How much of what was sent the peer's kernel has not taken yet."""
    return int(struct.unpack("i", fcntl.ioctl(sock, termios.TIOCOUTQ, bytes(4)))[0])


def serve(sock: socket.socket) -> None:
    partial = bytearray()
    sock.setblocking(False)
    while True:
        wait(sock, select.POLLIN)
        piece = sock.recv(65536)
        if not piece:
            return
        ends, newline, rest = piece.rpartition(b"\n")
        if newline:
            reply = memoryview(bytes(partial) + ends + newline)
            partial.clear()
            while reply:
                wait(sock, select.POLLOUT)
                with suppress(BlockingIOError):
                    reply = reply[sock.send(reply) :]
        partial += rest


def main() -> None:
    listener = listen()
    while True:
        try:
            sock, _ = listener.accept()
        except OSError:
            time.sleep(0.05)  # no descriptor is free; the newcomer waits in the queue
            continue
        with sock, suppress(OSError):
            serve(sock)


main()
