"""Passive capture of the headers of all TCP packets on the interfaces of a network namespace.

## Theory of operation

A packet socket bound to no device in particular sees every packet of its namespace; a filter in the
kernel (classic BPF) keeps TCP, leaves out the loopback device, and cuts each packet after its TCP
header. The kernel writes what is left into a ring of blocks that we share with it by mmap
(`TPACKET_V3`), so that a packet costs no system call and no wake-up. A block is ours once it is
full or `_RETIRE_MS` old. We copy it as it is and give it back; packets are taken apart when
somebody asks for them.

Blocks are emptied every `_EMPTY_EVERY_S`. When nobody emptied them in time, packets are lost; the
kernel counts these (`PACKET_STATISTICS`), and that count is told, never hidden. The same counter
tells how many packets there were in all: so `complete` knows when the last one has been copied.

What is seen is what the stack hands to the interface: a super-packet of up to 64 KiB in one piece
where the interface takes such (GSO, TSO; GRO on the way in), and an incoming packet before any
iptables rule, an outgoing one after all of them. The kernel stamps packets by the real-time clock;
they are moved to the monotonic one by the difference of the two when their block was copied.

Sources: packet(7), Documentation/networking/packet_mmap.rst, linux/if_packet.h, linux/filter.h.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import socket
import struct
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import NamedTuple

from iolab.harness.beside.loop import Loop
from iolab.harness.beside.wire.packet import parse
from iolab.harness.beside.wire.records import Record
from iolab.harness.beside.wire.rules import IN, OUT

_BLOCK = max(1 << 15, mmap.PAGESIZE)  # bytes
_RING = 1 << 24  # bytes: about 100 000 packets, or 5 s of one packet a block
_FRAME = 1 << 11  # bytes; only its being a divisor of the block matters in version 3
_RETIRE_MS = 10
_EMPTY_EVERY_S = 0.25
_COMPLETE_WITHIN_S = 2.0  # a block is due after _RETIRE_MS; more means that something is wrong
_KEPT = 1 << 26  # bytes of blocks that are kept: about 400 000 packets

_SOL_PACKET = 263
_RX_RING, _STATISTICS, _VERSION = 5, 6, 10
_TPACKET_V3 = 2
_ETH_P_ALL = 3
_SO_ATTACH_FILTER = 26
_OUTGOING = 4
_STATUS_KERNEL, _STATUS_USER = 0, 1

_DESCRIPTOR = struct.Struct("=IIIIIIQIIII")  # version, private, tpacket_hdr_v1
_STATUS_AT = 8
_PACKET = struct.Struct("=IIIIIIHH")  # next, seconds, nanoseconds, snaplen, len, status, mac, net
_LINK = struct.Struct("=HHiHBB8x")  # sockaddr_ll: family, protocol, device, hatype, pkttype, …
_LINK_AT = 48  # TPACKET3_HDRLEN, aligned
_STATS = struct.Struct("=III")  # packets, drops, freezes


class _Block(NamedTuple):
    """A copied block: its bytes, its packets' number, its last stamp, and the clocks' difference.

    `last` and `ahead` are in seconds; `ahead` is how far real time is ahead of monotonic time.
    """

    data: bytes
    packets: int
    first: int  # where the first packet begins
    last: float
    ahead: float


class Capture:
    """Captures from its making to `close`, in the network namespace of this process.

    `fault(reason)` is called when packets were lost. Raises OSError: PermissionError without
    `CAP_NET_RAW`, and whatever the kernel says to the ring.
    """

    def __init__(self, loop: Loop, fault: Callable[[str], None]) -> None:
        self.lost = 0
        self.forgotten = 0
        self._loop = loop
        self._fault = fault
        self._blocks: deque[_Block] = deque()
        self._kept = 0  # bytes
        self._seen = 0  # packets that the kernel has seen, dropped ones included
        self._copied = 0
        self._next = 0  # the block that the kernel gives us next
        # Protocol 0: nothing comes in before ring and filter are in place.
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC, 0)
        try:
            _attach_filter(self._socket)
            self._socket.setsockopt(_SOL_PACKET, _VERSION, _TPACKET_V3)
            blocks = _RING // _BLOCK
            request = (_BLOCK, blocks, _FRAME, _RING // _FRAME, _RETIRE_MS, 0, 0)
            self._socket.setsockopt(_SOL_PACKET, _RX_RING, struct.pack("=7I", *request))
            self._ring = mmap.mmap(self._socket.fileno(), _RING)
            _bind_to_all(self._socket)
        except BaseException:
            self._socket.close()
            raise
        self._timer = loop.call_later(_EMPTY_EVERY_S, self._empty_again)

    def complete(self, then: Callable[[], None]) -> None:
        """Call `then()` once all packets that were seen until now are among `packets`."""
        self._count()
        wanted = self._seen - self.lost
        deadline = time.monotonic() + _COMPLETE_WITHIN_S

        def look() -> None:
            self._empty()
            missing = wanted - self._copied
            if missing > 0 and time.monotonic() < deadline:
                self._loop.call_later(_RETIRE_MS / 2000, look)
                return
            if missing > 0:
                self._fault(f"capture: the kernel holds back {missing} packets")
            then()

        look()

    def newest_first(
        self, since: float, peer: tuple[str, int] | None = None
    ) -> Iterator[list[Record]]:
        """The packets kept, from `since` (monotonic seconds) on: some hundreds at a time.

        With a `peer` only those of that address; port 0 stands for any.
        """
        host = None if peer is None else _packed(peer[0])
        for block in reversed(tuple(self._blocks)):
            if block.last - block.ahead < since:
                return
            yield [
                record
                for record in reversed(list(_records(block, host)))
                if record.t >= since and (peer is None or record.is_of(peer))
            ]

    def close(self) -> None:
        """Stop, and let go of what was kept."""
        self._loop.cancel(self._timer)
        self._ring.close()
        self._socket.close()
        self._blocks.clear()

    def _empty_again(self) -> None:
        self._empty()
        self._count()
        self._timer = self._loop.call_later(_EMPTY_EVERY_S, self._empty_again)

    def _empty(self) -> None:
        """Copy the blocks that the kernel has given us, and give them back."""
        ahead = time.clock_gettime(time.CLOCK_REALTIME) - time.monotonic()
        while True:
            at = self._next * _BLOCK
            header = _DESCRIPTOR.unpack_from(self._ring, at)
            _, _, status, packets, first, size, _, _, _, seconds, nanoseconds = header
            if not status & _STATUS_USER:
                return
            data = self._ring[at : at + size]
            struct.pack_into("=I", self._ring, at + _STATUS_AT, _STATUS_KERNEL)
            self._next = (self._next + 1) % (_RING // _BLOCK)
            self._copied += packets
            last = seconds + nanoseconds / 1e9
            self._keep(_Block(data, packets, first, last, ahead))

    def _keep(self, block: _Block) -> None:
        self._blocks.append(block)
        self._kept += len(block.data)
        while self._kept > _KEPT:
            oldest = self._blocks.popleft()
            self._kept -= len(oldest.data)
            self.forgotten += oldest.packets

    def _count(self) -> None:
        """Read the kernel's counters, which start again from zero at each reading."""
        raw = self._socket.getsockopt(_SOL_PACKET, _STATISTICS, _STATS.size)
        packets, drops, _ = _STATS.unpack(raw)
        self._seen += packets
        if drops:
            self.lost += drops
            self._fault(f"capture: the kernel dropped {drops} packets that nobody fetched in time")


def _packed(host: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ":" in host else socket.AF_INET, host)


def _records(block: _Block, host: bytes | None) -> Iterator[Record]:
    """Its packets; with a `host`, in network byte order, only those that have it in their header.

    Most packets are somebody else's, and taking them all apart is most of the probe's work.
    """
    data, at = block.data, block.first
    for _ in range(block.packets):
        step, seconds, nanoseconds, size, _, _, _, net = _PACKET.unpack_from(data, at)
        kind = _LINK.unpack_from(data, at + _LINK_AT)[4]
        headers = data[at + net : at + net + size]
        at += step
        if host is None or host in headers:
            t = seconds + nanoseconds / 1e9 - block.ahead
            yield Record(t, OUT if kind == _OUTGOING else IN, parse(headers), headers)


def _bind_to_all(sock: socket.socket) -> None:
    # By hand: `socket.bind` looks for a device of the name that it is given, and this is for none.
    name = _LINK.pack(socket.AF_PACKET, socket.htons(_ETH_P_ALL), 0, 0, 0, 0)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.bind(sock.fileno(), name, len(name)):
        number = ctypes.get_errno()
        raise OSError(number, f"AF_PACKET: bind: {os.strerror(number)}")


def _attach_filter(sock: socket.socket) -> None:
    program = b"".join(struct.pack("=HBBI", *instruction) for instruction in _FILTER)
    buffer = ctypes.create_string_buffer(program, len(program))
    fprog = struct.pack("@HP", len(_FILTER), ctypes.addressof(buffer))
    sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, fprog)


# Classic BPF (linux/bpf_common.h, linux/filter.h). Byte 0 is that of the IP header; what is
# returned is how many bytes are kept. Jumps are relative; the comments give line numbers.
_LOAD, _LOAD_HALF, _LOAD_BYTE, _LOAD_BYTE_X = 0x20, 0x28, 0x30, 0x50
_X_HEADER, _X_IMMEDIATE = 0xB1, 0x01
_JUMP, _IF_EQUAL, _IF_AT_LEAST, _IF_BITS = 0x05, 0x15, 0x35, 0x45
_AND, _SHIFT_RIGHT, _ADD_X, _RETURN_A, _RETURN = 0x54, 0x74, 0x0C, 0x16, 0x06
_OF_PROTOCOL, _OF_DEVICE = 0xFFFFF000, 0xFFFFF000 + 28  # SKF_AD_PROTOCOL, SKF_AD_HATYPE
_IS_LOOPBACK, _IS_IPV4, _IS_IPV6 = 772, 0x0800, 0x86DD

_FILTER = [
    (_LOAD, 0, 0, _OF_DEVICE),  # 0
    (_IF_EQUAL, 18, 0, _IS_LOOPBACK),  # 1: → 20
    (_LOAD, 0, 0, _OF_PROTOCOL),  # 2
    (_IF_EQUAL, 0, 6, _IS_IPV4),  # 3: else → 10
    (_LOAD_BYTE, 0, 0, 9),  # 4
    (_IF_EQUAL, 0, 14, socket.IPPROTO_TCP),  # 5: else → 20
    (_LOAD_HALF, 0, 0, 6),  # 6
    (_IF_BITS, 12, 0, 0x1FFF),  # 7: a later fragment, without a TCP header → 20
    (_X_HEADER, 0, 0, 0),  # 8: X = the IPv4 header's size
    (_JUMP, 0, 0, 4),  # 9: → 14
    (_IF_EQUAL, 0, 9, _IS_IPV6),  # 10: else → 20
    (_LOAD_BYTE, 0, 0, 6),  # 11
    (_IF_EQUAL, 0, 7, socket.IPPROTO_TCP),  # 12: else → 20
    (_X_IMMEDIATE, 0, 0, 40),  # 13
    (_LOAD_BYTE_X, 0, 0, 12),  # 14: the TCP header's size in words, in the upper four bits
    (_AND, 0, 0, 0xF0),  # 15
    (_SHIFT_RIGHT, 0, 0, 2),  # 16
    (_IF_AT_LEAST, 0, 2, 20),  # 17: what TCP itself will discard → 20
    (_ADD_X, 0, 0, 0),  # 18
    (_RETURN_A, 0, 0, 0),  # 19
    (_RETURN, 0, 0, 0),  # 20
]
