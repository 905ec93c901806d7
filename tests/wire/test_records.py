"""Two witnesses make one list, and a file of it."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from iolab.harness.beside.wire import pcap
from iolab.harness.beside.wire.packet import parse
from iolab.harness.beside.wire.records import Record, merge, told
from tests.wire.test_packet import V4, V6

PACKET = parse(V4)
DROP = {"rule": 3, "action": "drop"}


def record(t: float, direction: str, verdict: dict[str, Any] | None = None) -> Record:
    return Record(t, direction, PACKET, V4[:52], verdict)


def test_a_row_is_as_the_protocol_has_it() -> None:
    assert record(1.5, "in", DROP).row() == [
        1.5, "in", "10.91.0.4", 50112, "10.91.0.2", 9000, "PSH,ACK", 101, 201, 9, 502, DROP,
    ]  # fmt: skip


def test_a_verdict_is_put_on_the_packet_that_was_captured_just_before() -> None:
    captured = [record(1.0, "in"), record(2.0, "in"), record(3.0, "in")]
    merged = merge(captured, [record(2.1, "in", DROP)])
    assert [(one.t, one.verdict) for one in merged] == [(1.0, None), (2.0, DROP), (3.0, None)]


def test_each_try_has_its_own_verdict() -> None:
    captured = [record(1.0, "in"), record(2.0, "in"), record(3.0, "in")]
    merged = merge(captured, [record(1.1, "in", DROP), record(2.1, "in", DROP)])
    assert [one.verdict for one in merged] == [DROP, DROP, None]


def test_a_verdict_without_its_packet_is_a_row_of_its_own() -> None:
    merged = merge([record(2.0, "in")], [record(1.0, "in", DROP)])
    assert [(one.t, one.verdict) for one in merged] == [(1.0, DROP), (2.0, None)]


def test_an_outgoing_packet_has_a_row_when_sent_and_one_when_it_left() -> None:
    merged = merge([record(1.1, "out")], [record(1.0, "out", DROP)])
    assert [(one.t, one.verdict) for one in merged] == [(1.0, DROP), (1.1, None)]


def test_peers_are_told_apart_as_the_subject_sees_them() -> None:
    assert record(1.0, "in").is_of(("10.91.0.4", 50112))
    assert record(1.0, "in").is_of(("10.91.0.4", 0))
    assert not record(1.0, "in").is_of(("10.91.0.4", 1))
    assert not record(1.0, "out").is_of(("10.91.0.4", 0))


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        (DROP, "dropped (rule 3)"),
        ({"rule": 1, "action": "delay", "delay_ms": 100.0}, "100 ms (rule 1)"),
        ({"rule": 1, "action": "reset"}, "answered by a reset (rule 1)"),
    ],
)
def test_a_verdict_has_words(verdict: dict[str, Any], words: str) -> None:
    assert told(**verdict) == words


def test_the_file_has_its_packets_in_blocks_with_direction_and_comment() -> None:
    records = [record(1.25, "in", DROP), Record(2.5, "out", parse(V6), V6[:60])]
    data = b"".join(pcap.blocks(records, ahead=1e9))
    section, interface, first, second = _blocks(data)
    assert section[:2] == (0x0A0D0D0A, struct.pack("=IHHq", 0x1A2B3C4D, 1, 0, -1))
    assert interface[1][:2] == struct.pack("=H", 113)
    high, low, kept, size = struct.unpack_from("=4xIIII", first[1])
    assert (high << 32 | low) == 1_000_000_001_250_000_000
    assert (kept, size) == (16 + 52, 16 + 61)
    assert first[1][20:22] == b"\0\0"  # SLL: to us
    assert first[1][36 : 36 + 52] == V4[:52]
    assert b"dropped (rule 3)" in first[1]
    assert second[1][20:22] == b"\0\4"  # SLL: from us
    assert b"(rule" not in second[1]


def _blocks(data: bytes) -> list[tuple[int, bytes]]:
    blocks = []
    at = 0
    while at < len(data):
        kind, size = struct.unpack_from("=II", data, at)
        assert size % 4 == 0
        assert struct.unpack_from("=I", data, at + size - 4) == (size,)
        blocks.append((kind, data[at + 8 : at + size - 4]))
        at += size
    return blocks
