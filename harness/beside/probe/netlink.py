"""The little of netlink(7) that sock_diag(7) needs: a dump, and notices of multicast groups."""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterator

NETLINK_SOCK_DIAG = 4
NLMSG_ERROR = 2
NLMSG_DONE = 3
_NLM_F_REQUEST = 0x001
_NLM_F_DUMP = 0x300
_SOL_NETLINK = 270
_NETLINK_ADD_MEMBERSHIP = 1
_SO_RCVBUFFORCE = 33
_RECEIVE_BUFFER = 8 << 20
_HEADER = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port
_ATTRIBUTE = struct.Struct("=HH")  # rtattr: length, type
_PIECE = 1 << 16  # above 32 KiB the kernel fills its largest pieces


class Netlink:
    """One netlink socket of a protocol. OSError when the kernel, or who guards it, refuses."""

    def __init__(self, protocol: int, groups: tuple[int, ...] = ()) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol)
        try:
            self._socket.bind((0, 0))
            for group in groups:
                self._socket.setsockopt(_SOL_NETLINK, _NETLINK_ADD_MEMBERSHIP, group)
            if groups:
                self._widen()
        except OSError:
            self._socket.close()
            raise
        self._sequence = 0

    def fileno(self) -> int:
        """The descriptor, for a loop to wait on."""
        return self._socket.fileno()

    def close(self) -> None:
        """Let go of the socket."""
        self._socket.close()

    def dump(self, kind: int, request: bytes) -> Iterator[bytes]:
        """Ask for a dump and give each message's body. OSError with the kernel's errno."""
        self._sequence += 1
        header = _HEADER.pack(
            _HEADER.size + len(request), kind, _NLM_F_REQUEST | _NLM_F_DUMP, self._sequence, 0
        )
        self._socket.send(header + request)
        while True:
            for found, sequence, body in messages(self._socket.recv(_PIECE)):
                if sequence != self._sequence:
                    continue  # the rest of a dump that somebody gave up reading
                if found == NLMSG_DONE:
                    return
                if found == NLMSG_ERROR:
                    raise _error(body)
                yield body

    def notices(self) -> Iterator[bytes]:
        """The bodies of all notices that wait; never blocks. OSError ENOBUFS: some were lost."""
        while True:
            try:
                piece = self._socket.recv(_PIECE, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            for _, _, body in messages(piece):
                yield body

    def _widen(self) -> None:
        # Thousands of sockets may die in one instant, before the loop comes round to reading.
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _RECEIVE_BUFFER)
        except PermissionError:  # without NET_ADMIN: as much as net.core.rmem_max allows
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)


def messages(piece: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Type, sequence number and body of each message in what one `recv` gave."""
    at = 0
    while at + _HEADER.size <= len(piece):
        length, kind, _, sequence, _ = _HEADER.unpack_from(piece, at)
        yield kind, sequence, piece[at + _HEADER.size : at + length]
        at += (length + 3) & ~3


def attributes(body: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and value of each attribute (rtattr)."""
    at = 0
    while at + 4 <= len(body):
        length, kind = _ATTRIBUTE.unpack_from(body, at)
        yield kind, body[at + 4 : at + length]
        at += (length + 3) & ~3


def _error(body: bytes) -> OSError:
    number = -struct.unpack_from("=i", body)[0]
    return OSError(number, f"netlink: {os.strerror(number)} ({errno.errorcode.get(number)})")
