"""Records as a capture file that Wireshark and tcpdump open (pcapng).

pcapng, and not the older pcap, because it has a place for the direction of a packet and for a
comment: what a rule did to it shows in Wireshark as `frame.comment`. A packet that was dropped on
its way out is in the file as well, though it never reached the interface.

Source: draft-ietf-opsawg-pcapng (blocks and options), LINKTYPE_LINUX_SLL of tcpdump.org/linktypes.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable, Iterator

from iolab.harness.beside.wire.records import Record, told
from iolab.harness.beside.wire.rules import IN

_SECTION, _INTERFACE, _PACKET = 0x0A0D0D0A, 1, 6
_BYTE_ORDER = 0x1A2B3C4D
_LINUX_SLL = 113
_COMMENT, _PACKET_FLAGS, _RESOLUTION = 1, 2, 9
_NANOSECONDS = 9  # timestamps in powers of ten
_TO_US, _FROM_US = 0, 4  # packet types of SLL
_INBOUND, _OUTBOUND = 1, 2  # packet flags of pcapng
_ETHERNET = 1
_PROTOCOLS: dict[int, int] = {socket.AF_INET: 0x0800, socket.AF_INET6: 0x86DD}
_MOST = 0xFFFFFFFF


def blocks(records: Iterable[Record], ahead: float) -> Iterator[bytes]:
    """The file in pieces: its opening, and one for each record.

    `ahead`: seconds that real time is ahead of monotonic time, since a file tells real time.
    """
    opening = _block(_SECTION, struct.pack("=IHHq", _BYTE_ORDER, 1, 0, -1))
    resolution = _options((_RESOLUTION, bytes([_NANOSECONDS])))
    yield opening + _block(_INTERFACE, struct.pack("=HHI", _LINUX_SLL, 0, 0) + resolution)
    for record in records:
        yield _packet(record, ahead)


def _packet(record: Record, ahead: float) -> bytes:
    incoming = record.direction == IN
    packet = record.packet
    link = struct.pack(
        "!HHH8sH",
        _TO_US if incoming else _FROM_US,
        _ETHERNET,
        0,
        b"",
        _PROTOCOLS[packet.family],
    )
    data = link + record.headers
    size = len(link) + packet.head + packet.length
    stamp = round((record.t + ahead) * 1e9)
    options = [(_PACKET_FLAGS, struct.pack("=I", _INBOUND if incoming else _OUTBOUND))]
    if record.verdict is not None:
        options.insert(0, (_COMMENT, told(**record.verdict).encode()))
    fixed = struct.pack("=IIIII", 0, stamp >> 32, stamp & _MOST, len(data), size)
    return _block(_PACKET, fixed + _padded(data) + _options(*options))


def _options(*options: tuple[int, bytes]) -> bytes:
    rows = [struct.pack("=HH", code, len(value)) + _padded(value) for code, value in options]
    return b"".join(rows) + bytes(4)


def _block(kind: int, body: bytes) -> bytes:
    size = len(body) + 12
    return struct.pack("=II", kind, size) + body + struct.pack("=I", size)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
