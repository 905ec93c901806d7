"""What tests do with sockets and ask of the kernel about them."""

from __future__ import annotations

import socket
import struct
import threading
from pathlib import Path
from typing import NamedTuple


class Info(NamedTuple):
    """Some of `struct tcp_info` (linux/tcp.h)."""

    backoff: int
    unacknowledged: int
    round_trip_us: int
    retransmissions: int
    duplicates_reported: int
    out_of_order: int


def info(sock: socket.socket) -> Info:
    """The kernel's view of a connection."""
    raw = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
    return Info(raw[4], *(struct.unpack_from("=I", raw, at)[0] for at in (24, 68, 100, 216, 224)))


def counter(name: str) -> int:
    """A counter of `TcpExt` in the network namespace of this thread."""
    lines = Path("/proc/thread-self/net/netstat").read_bytes().decode().splitlines()
    names, values = (line.split() for line in lines if line.startswith("TcpExt:"))
    return int(values[names.index(name)])


def transferred(sender: socket.socket, receiver: socket.socket, data: bytes) -> bytes:
    """Send all of `data` and receive as much."""
    sending = threading.Thread(target=sender.sendall, args=(data,))
    sending.start()
    got = received(receiver, len(data))
    sending.join()
    return got


def received(receiver: socket.socket, size: int) -> bytes:
    """Exactly so many bytes."""
    got = b""
    while len(got) < size:
        piece = receiver.recv(size - len(got))
        assert piece, f"ended after {len(got)} of {size} bytes"
        got += piece
    return got


def error_of(sock: socket.socket) -> int:
    """The errno that reading ends with."""
    try:
        data = sock.recv(1)
    except OSError as error:
        return error.errno or 0
    raise AssertionError(f"read {data!r} instead of an error")
