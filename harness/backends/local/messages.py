"""Messages between the harness and the processes that it keeps: a JSON object and descriptors.

They travel on a pair of SOCK_SEQPACKET sockets, so that each arrives whole, and the end of either
side is an end of input at the other.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Sequence
from typing import Any

Message = dict[str, Any]

# The kernel's default send buffer (`net.core.wmem_default`) takes no larger message either.
MAX_BYTES = 200_000
MAX_DESCRIPTORS = 8


def pair() -> tuple[socket.socket, socket.socket]:
    """Two ends; neither is inherited by a program that is executed."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def send(to: socket.socket, message: Message, descriptors: Sequence[int] = ()) -> None:
    """Send one message; the descriptors stay open here. BrokenPipeError when nobody is there."""
    data = json.dumps(message, separators=(",", ":")).encode("utf-8", "surrogateescape")
    socket.send_fds(to, [data], descriptors)


def receive(source: socket.socket) -> tuple[Message, list[int]] | None:
    """Wait for the next message and its descriptors; None at the end of input."""
    try:
        data, descriptors, flags, _ = socket.recv_fds(source, MAX_BYTES, MAX_DESCRIPTORS)
    except ConnectionResetError:  # the other end was closed before it had read all of ours
        return None
    if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
        for fd in descriptors:
            os.close(fd)
        raise OSError("a message between the harness and its processes was cut short")
    if not data:
        return None
    for fd in descriptors:
        os.set_inheritable(fd, False)
    return json.loads(data.decode("utf-8", "surrogateescape")), descriptors
