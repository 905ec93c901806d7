"""What all inhabitants need and none gets wrong: the command line, a listener, a client's lines."""

from __future__ import annotations

import argparse
import errno
import socket
import sys
import time

NO_ROOM = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


def address() -> tuple[str, int]:
    """The `--host` and `--port` of the command line."""
    parser = argparse.ArgumentParser(description="A server that is broken on purpose.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    given = parser.parse_args()
    return given.host, given.port


def listen(backlog: int = 1024) -> socket.socket:
    """A listener at the address of the command line; on `::` it serves IPv4 as well."""
    host, port = address()
    ipv6 = ":" in host
    try:
        return socket.create_server(
            (host, port),
            family=socket.AF_INET6 if ipv6 else socket.AF_INET,
            backlog=backlog,
            dualstack_ipv6=ipv6,
        )
    except OSError as error:
        sys.exit(f"cannot listen on {host} port {port}: {error.strerror}")


def accept(listener: socket.socket) -> socket.socket | None:
    """The next newcomer, in the listener's own blocking mode; None if there is none after all.

    Without a free descriptor the newcomer stays in the queue, and the listener readable: a short
    breath keeps the caller's loop from spinning.
    """
    try:
        newcomer, _ = listener.accept()
    except OSError as error:
        if error.errno in NO_ROOM:
            time.sleep(0.05)
        return None
    newcomer.setblocking(listener.gettimeout() != 0)
    return newcomer


def progress_in_small_steps(listener: socket.socket) -> None:
    """A small send buffer, for a server that times who takes nothing; accepted sockets inherit it.

    A socket turns writable when a third of its buffer is free: with one of megabytes, somebody who
    reads slowly and steadily would look idle for many seconds.
    """
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 32768)


def refuse(sock: socket.socket) -> None:
    """End without a reset, for the caller to close: with input unread, `close` would send one."""
    sock.shutdown(socket.SHUT_WR)
    sock.settimeout(1)
    for _ in range(256):
        if not sock.recv(65536):
            break


class Client:
    """What a server remembers of a connection."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.partial = bytearray()  # the line that has no end yet
        self.unsent = bytearray()  # replies that the kernel has not taken yet
        self.ended = False  # whether the peer has said its last

    def take(self, piece: bytes) -> bytes:
        """The lines that `piece` completes, newlines included; what is left waits in `partial`."""
        ends, newline, rest = piece.rpartition(b"\n")
        if not newline:
            self.partial += piece
            return b""
        lines = bytes(self.partial) + ends + newline
        self.partial = bytearray(rest)
        return lines
