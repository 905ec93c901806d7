"""A packet queue of the kernel (NFQUEUE), spoken to by hand over AF_NETLINK.

## Theory of operation

An iptables rule with the target NFQUEUE takes a packet out of the kernel's path and parks it under
a number. The kernel tells whoever has bound the queue, by one netlink message a packet; that
process answers with a verdict, in its own time and in any order, and the kernel drops the packet or
lets it go on from where it was taken. To the TCP that sent it, a packet that is dropped here was
sent well: it left the stack and the network lost it.

Three properties make the queue a witness, not just a tool:

* Packet numbers are consecutive. A gap means that a message did not reach us.
* A receive buffer that overflows shows once as ENOBUFS (`NETLINK_NO_ENOBUFS` stays off).
* A configuration message is only confirmed to the socket that has bound the queue: ENODEV means
  that nobody has, EPERM that somebody else has. Its confirmation comes behind all packets queued
  before it. (`/proc/net/netfilter/nfnetlink_queue` would tell as much, but belongs to the host's
  root: a rootless namespace may not read it.)

`NFQA_CFG_F_GSO` is not set, so the kernel cuts super-packets to segments of one MTU, with their
checksums complete, before it queues them. `NFQA_CFG_F_FAIL_OPEN` is not set either: a full queue
drops instead of letting packets by undecided. How many may wait is more than the memory of a lab
could hold, so that the receive buffer, which tells, is what overflows.

Sources: linux/netfilter/nfnetlink_queue.h, net/netfilter/nfnetlink_queue.c, netlink(7).
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from iolab.harness.beside.wire.rules import IN, OUT

ACCEPT, DROP = 1, 0  # NF_ACCEPT, NF_DROP

_NETLINK_NETFILTER = 12
_SUBSYS_QUEUE = 3 << 8
_MSG_PACKET, _MSG_VERDICT, _MSG_CONFIG = (_SUBSYS_QUEUE | kind for kind in range(3))
_NLMSG_ERROR = 2
_REQUEST, _ACK = 1, 4

_CFG_CMD, _CFG_PARAMS, _CFG_QUEUE_MAXLEN = 1, 2, 3
_CMD_BIND = 1
_COPY_PACKET = 2
_PACKET_HDR, _VERDICT_HDR, _PAYLOAD = 1, 2, 10
_DIRECTIONS = {0: IN, 4: OUT}  # NF_INET_PRE_ROUTING, NF_INET_POST_ROUTING

_NLMSGHDR = struct.Struct("=IHHII")  # length, type, flags, sequence, port
_NFGENMSG = struct.Struct("!BBH")  # family, version, queue number
_NLATTR = struct.Struct("=HH")  # length, type
_PACKET_FIELDS = struct.Struct("!IHB")  # packet number, link protocol, hook
_HEADERS = _NLMSGHDR.size + _NFGENMSG.size
_ATTRIBUTE_TYPE = 0x3FFF  # without the bits for "nested" and "network byte order"

_WHOLE_PACKET = 0xFFFF
_MAX_PACKETS = 1 << 20
_BUFFER = 16 << 20  # bytes; the kernel counts about 2.5 KiB for a packet of one MTU
_SO_RCVBUFFORCE = 33


class Queued(NamedTuple):
    """A packet that waits for its verdict: the IP packet whole, from its header on."""

    number: int
    direction: str
    data: bytes


class Queue:
    """One bound queue.

    Raises OSError where the kernel refuses: EPERM without `CAP_NET_ADMIN` or when another process
    has bound that number, EINVAL or EPROTONOSUPPORT where there is no nfnetlink_queue.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self._socket = socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_NETFILTER
        )
        try:
            self._socket.bind((0, 0))
            _enlarge(self._socket)
            self._configure(_CFG_CMD, struct.pack("!BxH", _CMD_BIND, 0))
            self._configure(_CFG_PARAMS, struct.pack("!IB", _WHOLE_PACKET, _COPY_PACKET))
            self._configure(_CFG_QUEUE_MAXLEN, struct.pack("!I", _MAX_PACKETS))
        except BaseException:
            self._socket.close()
            raise
        self._socket.setblocking(False)
        self._buffer = bytearray(1 << 17)
        self._asked = 0
        self._confirmed = 0

    def fileno(self) -> int:
        return self._socket.fileno()

    def read(self, limit: int) -> Iterator[Queued]:
        """The packets that have come, at most `limit` of them.

        Raises OSError: ENOBUFS once after messages were lost, and whatever the kernel answered to
        an earlier verdict (ENOENT: that packet is not queued any more).
        """
        for _ in range(limit):
            try:
                size = self._socket.recv_into(self._buffer)
            except BlockingIOError:
                return
            packet = self._parse(size)
            if packet is not None:
                yield packet

    def verdict(self, number: int, verdict: int) -> None:
        """`ACCEPT` or `DROP` the packet. By the return the kernel has carried it out."""
        body = struct.pack("!II", verdict, number)
        self._socket.send(self._message(_MSG_VERDICT, _REQUEST, _VERDICT_HDR, body))

    def ask(self) -> None:
        """Ask the kernel to confirm that the queue is bound, and by us. OSError if it cannot be."""
        self._asked += 1
        body = struct.pack("!I", _MAX_PACKETS)
        flags = _REQUEST | _ACK
        self._socket.send(
            self._message(_MSG_CONFIG, flags, _CFG_QUEUE_MAXLEN, body, sequence=self._asked)
        )

    def is_confirmed(self) -> bool:
        """Whether the answer to the last `ask` has been read and was a yes."""
        return self._confirmed == self._asked

    def close(self) -> None:
        """Let go of the queue. What still waits in it is dropped by the kernel."""
        self._socket.close()

    def _configure(self, kind: int, body: bytes) -> None:
        self._socket.send(self._message(_MSG_CONFIG, _REQUEST | _ACK, kind, body))
        answer = self._socket.recv(4096)
        (code,) = struct.unpack_from("=i", answer, _NLMSGHDR.size)
        if code:
            raise OSError(-code, f"NFQUEUE {self.number}: {os.strerror(-code)}")

    def _message(
        self, kind: int, flags: int, attribute: int, body: bytes, *, sequence: int = 0
    ) -> bytes:
        padded = body + b"\0" * (-len(body) % 4)
        size = _HEADERS + _NLATTR.size + len(padded)
        return (
            _NLMSGHDR.pack(size, kind, flags, sequence, 0)
            + _NFGENMSG.pack(socket.AF_UNSPEC, 0, self.number)
            + _NLATTR.pack(_NLATTR.size + len(body), attribute)
            + padded
        )

    def _parse(self, size: int) -> Queued | None:
        buffer = self._buffer
        _, kind, _, sequence, _ = _NLMSGHDR.unpack_from(buffer)
        if kind == _NLMSG_ERROR:
            (code,) = struct.unpack_from("=i", buffer, _NLMSGHDR.size)
            if code:
                raise OSError(-code, os.strerror(-code))
            self._confirmed = sequence
            return None
        if kind != _MSG_PACKET:
            raise OSError(errno.EBADMSG, f"a message of type {kind:#x}")
        number = hook = -1
        data = b""
        at = _HEADERS
        while at < size:
            length, attribute = _NLATTR.unpack_from(buffer, at)
            attribute &= _ATTRIBUTE_TYPE
            if attribute == _PACKET_HDR:
                number, _, hook = _PACKET_FIELDS.unpack_from(buffer, at + _NLATTR.size)
            elif attribute == _PAYLOAD:
                data = bytes(buffer[at + _NLATTR.size : at + length])
            at += length + -length % 4
        return Queued(number, _DIRECTIONS[hook], data)


def bind_first_free(numbers: Iterable[int]) -> Queue:
    """The first of these queues that nobody in this network namespace has bound.

    Raises OSError, as `Queue` does; PermissionError also if all of them are taken.
    """
    refusal = OSError(errno.EINVAL, "no queue number was given")
    for number in numbers:
        try:
            return Queue(number)
        except PermissionError as error:  # the same for a lack of rights and for a taken number
            refusal = error
    raise refusal


def _enlarge(sock: socket.socket) -> None:
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
    except PermissionError:
        # Older kernels want the right in the first user namespace; then as much as anyone may
        # have must do, and ENOBUFS will tell when it does not.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
