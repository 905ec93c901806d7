"""TCP sockets as the kernel has them: the rows of `inet_diag`, for both families.

sock_diag(7) gives what `ss -tinem` shows. Names of states are those of RFC 9293 section 3.3.2. Some
rows read differently from others:

* LISTEN: `recv_q` is the length of the accept queue, `send_q` the size it may have.
* A row of the accept queue is ESTABLISHED or CLOSE-WAIT with inode 0: no process has it yet.
* Inode 0 in FIN-WAIT, CLOSING, LAST-ACK and TIME-WAIT: the process has closed it, the kernel alone
  still holds it.
* Elsewhere the queues count as the kernel counts, in sequence numbers: a FIN that was received and
  not read, or sent and not acknowledged, is one.
* A socket that was reset has no row at all any more, though its descriptor may stay open.

IPv4 in IPv6 (`::ffff:10.0.0.2`, what a dual-stack server sees) is shown as what it is on the wire.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Container, Iterable, Iterator
from typing import NamedTuple

from iolab.harness.beside.probe.netlink import NETLINK_SOCK_DIAG, Netlink, attributes

TCPDIAG_GETSOCK = 18
_INET_DIAG_INFO = 2
_INET_DIAG_SKV6ONLY = 11
_REQUEST = struct.Struct("=BxxB HH16x16x I8x I4x")  # inet_diag_req; the ports in network order
_MESSAGE = struct.Struct("=BBBB 2s2s16s16s 4xQ IIIII")  # inet_diag_msg
_INFO = struct.Struct("=8xI12xI 16xI4xI 44xI 16xQQ8xI")  # tcp_info up to tcpi_notsent_bytes
_INODE = struct.Struct("=I")
_INODE_AT = 68  # idiag_inode
_SND_WND_AT = 228  # tcpi_snd_wnd, which kernels before 5.4 do not have

STATES = {
    1: "ESTABLISHED",
    2: "SYN-SENT",
    3: "SYN-RECEIVED",
    4: "FIN-WAIT-1",
    5: "FIN-WAIT-2",
    6: "TIME-WAIT",
    7: "CLOSED",
    8: "CLOSE-WAIT",
    9: "LAST-ACK",
    10: "LISTEN",
    11: "CLOSING",
    12: "SYN-RECEIVED",  # the kernel's own name for a request that is not a whole socket yet
}
TIMERS = {1: "retransmit", 2: "keepalive", 3: "time-wait", 4: "probe"}
_EVERY_STATE = sum(1 << number for number in STATES)
_TIME_WAIT = 1 << 6

Address = tuple[str, int]


class TcpInfo(NamedTuple):
    """What `TCP_INFO` says of a connection; times in seconds, sizes in bytes."""

    rto_s: float
    unacked: int  # segments
    last_sent_s: float
    last_received_s: float
    total_retransmits: int
    bytes_acked: int
    bytes_received: int
    not_sent: int
    send_window: int | None


class Row(NamedTuple):
    """One TCP socket."""

    family: int  # 4 or 6, as on the wire
    state: str
    local: Address
    peer: Address
    inode: int
    recv_q: int
    send_q: int | None
    uid: int
    timer: tuple[str, float] | None  # which one, and in how many seconds it fires
    retransmits: int
    cookie: int  # names the socket for as long as it lives
    attributes: bytes = b""  # as the kernel sent them; most are never looked into

    @property
    def info(self) -> TcpInfo | None:
        """None where it was not asked for, or the kernel has none (TIME-WAIT)."""
        for kind, value in attributes(self.attributes):
            if kind == _INET_DIAG_INFO and len(value) >= _INFO.size:
                return _tcp_info(value)
        return None

    @property
    def v6only(self) -> bool | None:
        """Of a listener: whether IPV6_V6ONLY keeps IPv4 from it; None where nobody tells."""
        for kind, value in attributes(self.attributes):
            if kind == _INET_DIAG_SKV6ONLY:
                return bool(value[0])
        return None


class InetDiag:
    """The socket table by netlink. OSError at the start, or at a dump, when it is refused."""

    source = "inet_diag"

    def __init__(self) -> None:
        self._netlink = Netlink(NETLINK_SOCK_DIAG)

    def rows(self, port: int | None = None, *, info: bool = False) -> list[Row]:
        """The sockets whose local port is `port`; or all, but for those in TIME-WAIT.

        Of these a machine may have tens of thousands, and nobody holds one.
        """
        states = _EVERY_STATE if port else _EVERY_STATE & ~_TIME_WAIT
        return _distinct(parse(body) for body in self._dump(states, port, info))

    def held(self, inodes: Container[int], port: int | None = None) -> list[Row]:
        """The sockets with these inodes and those on the local port, with their `info`."""
        here = struct.pack("!H", port or 0)
        rows = [
            parse(body)
            for body in self._dump(_EVERY_STATE & ~_TIME_WAIT, None, True)
            if _INODE.unpack_from(body, _INODE_AT)[0] in inodes or (port and body[4:6] == here)
        ]
        if port:
            rows += [parse(body) for body in self._dump(_TIME_WAIT, port, True)]
        return _distinct(rows)

    def _dump(self, states: int, port: int | None, info: bool) -> Iterator[bytes]:
        # The older request is the one that is answered for both families at once: a dump walks
        # through the whole table, which may be the machine's.
        extensions = 1 << (_INET_DIAG_INFO - 1) if info else 0
        request = _REQUEST.pack(socket.AF_UNSPEC, extensions, socket.htons(port or 0), 0, 0, states)
        yield from self._netlink.dump(TCPDIAG_GETSOCK, request)

    def close(self) -> None:
        """Let go of the netlink socket."""
        self._netlink.close()


def _distinct(rows: Iterable[Row]) -> list[Row]:
    # A dump comes in pieces, and may meet a socket twice when its hash chain changes meanwhile.
    return list({row.cookie: row for row in rows}.values())


def parse(body: bytes) -> Row:
    """A row from the body of one `inet_diag_msg` with its attributes."""
    (
        family, state, timer, retransmits, sport, dport, source, destination, cookie,
        expires_ms, recv_q, send_q, uid, inode,
    ) = _MESSAGE.unpack_from(body)  # fmt: skip
    family, local_ip, peer_ip = addresses(family, source, destination)
    return Row(
        family,
        STATES[state],
        (local_ip, sport[0] << 8 | sport[1]),
        (peer_ip, dport[0] << 8 | dport[1]),
        inode,
        recv_q,
        send_q,
        uid,
        (TIMERS[timer], expires_ms / 1000) if timer in TIMERS else None,
        retransmits,
        cookie,
        body[_MESSAGE.size :],
    )


def _tcp_info(value: bytes) -> TcpInfo:
    """From the kernel's `struct tcp_info`, which newer kernels only ever made longer."""
    (
        rto_us, unacked, sent_ms, received_ms, total, acked, received, not_sent,
    ) = _INFO.unpack_from(value)  # fmt: skip
    has_window = len(value) >= _SND_WND_AT + 4
    return TcpInfo(
        rto_us / 1e6,
        unacked,
        sent_ms / 1000,
        received_ms / 1000,
        total,
        acked,
        received,
        not_sent,
        struct.unpack_from("=I", value, _SND_WND_AT)[0] if has_window else None,
    )


_MAPPED = bytes(10) + b"\xff\xff"


def addresses(family: int, source: bytes, destination: bytes) -> tuple[int, str, str]:
    """Family (4 or 6) and both addresses of a socket, as they are on the wire."""
    if family == socket.AF_INET:
        return 4, socket.inet_ntoa(source[:4]), socket.inet_ntoa(destination[:4])
    if source[:12] == _MAPPED:
        return 4, socket.inet_ntoa(source[12:]), socket.inet_ntoa(destination[12:])
    inet6 = socket.AF_INET6
    return 6, socket.inet_ntop(inet6, source), socket.inet_ntop(inet6, destination)
