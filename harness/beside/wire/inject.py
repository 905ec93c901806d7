"""Packets sent by hand, through raw IP sockets that mark what they send.

The mark lets the wire's own iptables rules pass these packets by, so that nothing is decided twice.
A packet for the subject itself takes the way over the loopback device: raw sockets do not ask whose
the source address is, and the kernel keeps the route it found when sending, so that no reverse-path
check follows. Sources: raw(7), ipv6(7), socket(7) on SO_MARK.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable

MARK = 0x10AB

_SO_MARK = 36
_BUFFER = 8 << 20  # bytes


class Injector:
    """Sends whole IP packets of the given families (`AF_INET`, `AF_INET6`).

    Raises PermissionError without `CAP_NET_RAW` and `CAP_NET_ADMIN`.
    """

    def __init__(self, families: Iterable[int]) -> None:
        self._sockets: dict[int, socket.socket] = {}
        try:
            for family in families:
                # IPPROTO_RAW means that the header is in the data, for both families.
                sock = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW)
                self._sockets[family] = sock
                sock.setblocking(False)
                sock.setsockopt(socket.SOL_SOCKET, _SO_MARK, MARK)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
        except BaseException:
            self.close()
            raise

    def send(self, family: int, destination: str, data: bytes) -> None:
        """Send the IP packet `data`. OSError says why it could not be."""
        self._sockets[family].sendto(data, (destination, 0))

    def close(self) -> None:
        for sock in self._sockets.values():
            sock.close()
