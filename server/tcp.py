"""What is asked of the kernel's TCP: options set once, questions put when a timer rings.

The kernel already keeps the times at which a peer gave and took bytes. Asking for them when a
timer rings costs one system call a timeout; keeping them ourselves would cost a clock reading a
message, and would still not see bytes that the peer takes from the kernel's buffer.
"""

from __future__ import annotations

import socket
import struct
from array import array
from fcntl import ioctl
from termios import FIONREAD, TIOCOUTQ

from .connection import Connection
from .settings import KEEPALIVE_PROBES, Settings

# struct tcp_info of <linux/tcp.h>: tcpi_retransmits, and, in milliseconds before now,
# tcpi_last_data_sent, tcpi_last_data_recv and tcpi_last_ack_recv.
_TCP_INFO = struct.Struct("=2xB41xI4xII")

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


RECEIVE_SIZE = 2**16
"""Bytes read at once. malloc serves larger buffers by mmap, which costs more than the copying."""


def set_options(listener: socket.socket, settings: Settings) -> None:
    """Set on the listener what every accepted socket inherits, instead of once a connection."""
    tcp = socket.IPPROTO_TCP
    listener.setsockopt(tcp, socket.TCP_NODELAY, 1)
    if settings.keepalive:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        listener.setsockopt(tcp, socket.TCP_KEEPIDLE, settings.keepalive)
        listener.setsockopt(tcp, socket.TCP_KEEPINTVL, settings.keepalive_interval)
        listener.setsockopt(tcp, socket.TCP_KEEPCNT, KEEPALIVE_PROBES)
    if settings.user_timeout:
        milliseconds = max(1, round(settings.user_timeout * 1000))
        listener.setsockopt(tcp, socket.TCP_USER_TIMEOUT, milliseconds)


def quiet_for(sock: socket.socket) -> float:
    """Seconds since the peer last gave a byte or took one.

    A byte that the kernel puts on the wire for the first time shows that the peer's window was
    open. Retransmissions show nothing: while they go on, the last acknowledgement counts instead.
    """
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO.size)
    retransmits, sent_ms, received_ms, acknowledged_ms = _TCP_INFO.unpack(info)
    taken_ms = acknowledged_ms if retransmits else sent_ms
    return float(min(taken_ms, received_ms)) / 1000


def unacknowledged(sock: socket.socket) -> int:
    """Bytes in the send queue that the peer's kernel has not confirmed (SIOCOUTQ, tcp(7))."""
    answer = array("i", [0])
    ioctl(sock, TIOCOUTQ, answer)
    return answer[0]


def unread(sock: socket.socket) -> int:
    """Bytes that have come and were not read (SIOCINQ, tcp(7))."""
    answer = array("i", [0])
    ioctl(sock, FIONREAD, answer)
    return answer[0]


def let_go(sock: socket.socket, connection: Connection) -> None:
    """Close the socket: in good order, or by a reset if the peer did not get all of its answers.

    A FIN after half an answer would pass for the end of a whole one; and a peer that takes nothing
    would keep the kernel busy with it long after us.
    """
    if connection.output or (connection.reason == "idle-timeout" and unacknowledged(sock)):
        reset_on_close(sock)
    sock.close()


def reset_on_close(sock: socket.socket) -> None:
    """Let close() send a reset and forget unsent bytes (SO_LINGER with time 0, socket(7))."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
