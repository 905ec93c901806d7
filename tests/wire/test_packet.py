"""Headers taken apart, and resets by the book."""

from __future__ import annotations

import socket
import struct

import pytest

from iolab.harness.beside.wire.packet import (
    ACK,
    FIN,
    PSH,
    RST,
    SYN,
    Packet,
    checksum,
    flags_text,
    parse,
    reset_for,
)

V4 = bytes.fromhex(
    "4500003d1c46400040060000 0a5b0004 0a5b0002"  # 20 bytes, total length 61
    "c3c02328 00000065 000000c9 8018 01f6 0000 0000"  # ports 50112 → 9000, data offset 8
    "0101080a 0000000100000002"
    "68656c6c6f6c6f6c6f"
)
V6 = (
    bytes.fromhex("60000000 0019 06 40")
    + socket.inet_pton(socket.AF_INET6, "fd00::4")
    + socket.inet_pton(socket.AF_INET6, "fd00::2")
    + bytes.fromhex("c3c02328 ffffffff 00000000 5002 01f6 0000 0000")
    + b"hello"
)


def test_an_ipv4_packet_is_taken_apart() -> None:
    assert parse(V4) == Packet(
        socket.AF_INET, "10.91.0.4", 50112, "10.91.0.2", 9000, PSH | ACK, 101, 201, 9, 502, 20, 52
    )


def test_an_ipv6_packet_is_taken_apart_wherever_it_lies() -> None:
    seen = parse(b"link layer" + V6, 10)
    assert seen == Packet(
        socket.AF_INET6, "fd00::4", 50112, "fd00::2", 9000, SYN, 0xFFFFFFFF, 0, 5, 502, 40, 60
    )


def test_the_headers_are_enough() -> None:
    assert parse(V4[:52]) == parse(V4)


@pytest.mark.parametrize("size", [*range(36)])
def test_less_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match=r"cut off|version"):
        parse(V4[:size])


def test_other_protocols_are_refused() -> None:
    with pytest.raises(ValueError, match="IP protocol 17 is not TCP"):
        parse(V4[:9] + b"\x11" + V4[10:])
    with pytest.raises(ValueError, match="IP version 0"):
        parse(bytes(60))


def test_flags_are_named_in_the_order_of_their_bits() -> None:
    assert flags_text(SYN | ACK) == "SYN,ACK"
    assert flags_text(FIN | PSH | ACK) == "FIN,PSH,ACK"
    assert flags_text(0) == ""


def test_a_packet_covers_its_sequence_numbers_round_the_end() -> None:
    syn = parse(V6)  # SYN at the last number, and five bytes
    assert [syn.covers(seq) for seq in (0xFFFFFFFE, 0xFFFFFFFF, 0, 4, 5)] == [
        False,
        True,
        True,
        True,
        False,
    ]


def test_a_reset_for_a_segment_with_ack_has_the_number_that_is_expected() -> None:
    answer = reset_for(parse(V4))
    assert answer is not None
    reset = parse(answer)
    assert (reset.src, reset.sport, reset.dst, reset.dport) == (
        "10.91.0.2",
        9000,
        "10.91.0.4",
        50112,
    )
    assert (reset.flags, reset.seq, reset.ack) == (RST, 201, 0)
    assert checksum(answer[:20]) == 0
    assert _tcp_checksum_is_right(answer, 20, answer[12:20])


def test_a_reset_for_a_first_syn_acknowledges_it() -> None:
    answer = reset_for(parse(V6))
    assert answer is not None
    reset = parse(answer)
    assert (reset.flags, reset.seq, reset.ack) == (RST | ACK, 0, 5)  # SYN and five bytes later
    assert _tcp_checksum_is_right(answer, 40, answer[8:40])


def test_a_reset_is_not_answered_by_a_reset() -> None:
    assert reset_for(parse(V4)._replace(flags=RST)) is None


def _tcp_checksum_is_right(data: bytes, header: int, addresses: bytes) -> bool:
    tcp = data[header:]
    return checksum(addresses + struct.pack("!II", len(tcp), socket.IPPROTO_TCP) + tcp) == 0
