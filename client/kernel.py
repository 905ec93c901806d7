"""What the kernel knows of a TCP socket: TCP_INFO and its queues.

Offsets are those of `struct tcp_info` in Linux' include/uapi/linux/tcp.h, which only ever grows;
the requests are those of linux/sockios.h. See tcp(7).
"""

import fcntl
import socket
import struct
import termios

_STATES = (
    "",
    "ESTABLISHED",
    "SYN-SENT",
    "SYN-RECV",
    "FIN-WAIT-1",
    "FIN-WAIT-2",
    "TIME-WAIT",
    "CLOSE",
    "CLOSE-WAIT",
    "LAST-ACK",
    "LISTEN",
    "CLOSING",
    "NEW-SYN-RECV",
)
_SIOCOUTQ = termios.TIOCOUTQ
_SIOCINQ = termios.FIONREAD
_SIOCOUTQNSD = 0x894B
_RETRANSMITS = struct.Struct("=2xB")
_RTO = struct.Struct("=8xI")
_SND_WND = struct.Struct("=228xI")


def socket_info(sock: socket.socket) -> dict[str, object]:
    """State and queues of a TCP socket; bytes, and seconds.

    `unsent` bytes were never sent, `unacked` bytes were and are not acknowledged, `unread` bytes
    have come and were not read. `snd_wnd` is None before Linux 5.4, which does not tell it.
    """
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 512)
    unsent = _queue(sock, _SIOCOUTQNSD)
    return {
        "state": _STATES[info[0]],
        "unsent": unsent,
        "unacked": max(0, _queue(sock, _SIOCOUTQ) - unsent),
        "unread": _queue(sock, _SIOCINQ),
        "retransmits": _RETRANSMITS.unpack_from(info)[0],
        "rto_s": _RTO.unpack_from(info)[0] / 1e6,
        "snd_wnd": _SND_WND.unpack_from(info)[0] if len(info) >= _SND_WND.size else None,
    }


def unacknowledged(sock: socket.socket) -> int:
    """Bytes handed to the kernel that the peer has not acknowledged."""
    return _queue(sock, _SIOCOUTQ)


def _queue(sock: socket.socket, request: int) -> int:
    answer = fcntl.ioctl(sock.fileno(), request, b"\0\0\0\0")
    return int(struct.unpack("i", answer)[0])
