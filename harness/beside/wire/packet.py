"""The headers of one TCP packet: taken apart, and forged where a reset is asked for.

Everything here is pure. Layouts are those of RFC 791 (IPv4), RFC 8200 (IPv6) and RFC 9293 (TCP).
IPv6 extension headers are not followed: no TCP of a lab carries any, and the capture's filter lets
none through.
"""

from __future__ import annotations

import socket
import struct
from functools import lru_cache
from typing import NamedTuple

FIN, SYN, RST, PSH, ACK, URG, ECE, CWR = (1 << bit for bit in range(8))
FLAG_NAMES = ("FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR")

_V4 = struct.Struct("!2xH5xB2x4s4s")  # total length, protocol, source, destination
_V6 = struct.Struct("!4xHBx16s16s")  # payload length, next header, source, destination
_TCP = struct.Struct("!HHIIBBH")  # ports, sequence, acknowledgement, data offset, flags, window
_V6_HEADER = 40


class Packet(NamedTuple):
    """What a rule and a reader look at.

    `length` is the payload in bytes, from the IP header: more than one MTU means a super-packet
    that the kernel moves in one piece (GSO) and that a real wire would carry as several.
    `window` is the field as sent, without the scale. `header` is the size of the IP header in
    bytes, `head` that of both headers.
    """

    family: int
    src: str
    sport: int
    dst: str
    dport: int
    flags: int
    seq: int
    ack: int
    length: int
    window: int
    header: int
    head: int

    @property
    def span(self) -> int:
        """Sequence numbers that the packet takes up: payload, plus one each for SYN and FIN."""
        return self.length + bool(self.flags & SYN) + bool(self.flags & FIN)

    def covers(self, seq: int) -> bool:
        """Whether the sequence number `seq` is among those the packet takes up."""
        return (seq - self.seq) & 0xFFFFFFFF < self.span


def parse(data: bytes, at: int = 0) -> Packet:
    """The packet whose IP header begins at `data[at]`; the payload itself may be cut off.

    Raises ValueError for anything but TCP over IPv4 or IPv6 with both headers there.
    """
    try:
        version = data[at] >> 4
        if version == 4:
            family: int = socket.AF_INET
            header = (data[at] & 15) * 4
            total, protocol, src, dst = _V4.unpack_from(data, at)
        elif version == 6:
            family = socket.AF_INET6
            header = _V6_HEADER
            total, protocol, src, dst = _V6.unpack_from(data, at)
            total += _V6_HEADER
        else:
            raise ValueError(f"IP version {version}")
        if protocol != socket.IPPROTO_TCP:
            raise ValueError(f"IP protocol {protocol} is not TCP")
        sport, dport, seq, ack, offset, flags, window = _TCP.unpack_from(data, at + header)
    except (struct.error, IndexError):
        raise ValueError(f"cut off after {len(data) - at} bytes") from None
    head = header + (offset >> 4) * 4
    return Packet(
        family,
        address(src),
        sport,
        address(dst),
        dport,
        flags,
        seq,
        ack,
        max(0, total - head),
        window,
        header,
        head,
    )


@lru_cache(maxsize=4096)
def address(packed: bytes) -> str:
    """The text of 4 or 16 address bytes, as the kernel and `inet_ntop` write it."""
    return socket.inet_ntop(socket.AF_INET if len(packed) == 4 else socket.AF_INET6, packed)


@lru_cache(maxsize=256)
def flags_text(flags: int) -> str:
    """`0x12` → `"SYN,ACK"`, in the order of the bits."""
    return ",".join(name for bit, name in enumerate(FLAG_NAMES) if flags & 1 << bit)


def reset_for(packet: Packet) -> bytes | None:
    """The reset that makes the sender of `packet` believe its peer has no such connection.

    Sequence numbers follow RFC 9293 §3.10.7.1 (state CLOSED): a segment with ACK is answered by
    `<SEQ=SEG.ACK><CTL=RST>`, one without (a first SYN) by
    `<SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK>`. So the number is exactly what the sender expects
    next (RCV.NXT), which §3.10.7.4 demands of a reset in a synchronized state; one that is merely
    inside the window would draw a challenge ACK instead. A segment with RST gets no answer: None.
    """
    if packet.flags & RST:
        return None
    if packet.flags & ACK:
        seq, ack, flags = packet.ack, 0, RST
    else:
        seq, ack, flags = 0, (packet.seq + packet.span) & 0xFFFFFFFF, RST | ACK
    src = socket.inet_pton(packet.family, packet.dst)
    dst = socket.inet_pton(packet.family, packet.src)
    tcp = struct.pack("!HHIIBBHHH", packet.dport, packet.sport, seq, ack, 5 << 4, flags, 0, 0, 0)
    pseudo = src + dst + struct.pack("!II", len(tcp), socket.IPPROTO_TCP)
    tcp = tcp[:16] + struct.pack("!H", checksum(pseudo + tcp)) + tcp[18:]
    if packet.family == socket.AF_INET6:
        return struct.pack("!IHBB", 6 << 28, len(tcp), socket.IPPROTO_TCP, 64) + src + dst + tcp
    dont_fragment = 1 << 14
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 0, dont_fragment, 64, 6, 0) + src + dst
    return ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:] + tcp


def checksum(data: bytes) -> int:
    """The Internet checksum of RFC 1071."""
    data += b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
