"""The ladder: what a person reads of a failed connection."""

from __future__ import annotations

from typing import Any

import pytest

from iolab.harness.judge.ladder import ladder
from iolab.harness.record.probe import Packet, Verdict

CLIENT, SERVER = ("10.91.0.4", 50112), ("10.91.0.2", 9000)
USUAL: dict[str, Any] = {"length": 0, "window": 64}


def incoming(t: float, flags: str, seq: int, ack: int = 0, **more: Any) -> Packet:
    return Packet(t, "in", *CLIENT, *SERVER, flags, seq, ack, **{**USUAL, **more})


def outgoing(t: float, flags: str, seq: int, ack: int = 0, **more: Any) -> Packet:
    return Packet(t, "out", *SERVER, *CLIENT, flags, seq, ack, **{**USUAL, **more})


DELAYED = Verdict(rule=4, action="delay", delay_ms=100.0)

CONNECTION = [
    incoming(5.0, "SYN", 0xFFFFFFFF),
    outgoing(5.0001, "SYN,ACK", 700, 0),
    incoming(5.0002, "ACK", 0, 701),
    incoming(5.1, "PSH,ACK", 0, 701, length=5),
    outgoing(5.2, "ACK", 701, 5, length=1448, verdict=Verdict(rule=3, action="drop")),
    outgoing(5.4, "ACK", 701, 5, length=1448, window=0),
    incoming(5.5, "FIN,ACK", 5, 2149, verdict=DELAYED),
]


def test_a_connection_is_drawn() -> None:
    drawn = ladder(CONNECTION, CLIENT, SERVER)
    assert drawn.splitlines() == [
        "  client 10.91.0.4:50112                server 10.91.0.2:9000",
        "  0.0000 │── SYN seq 0 ────────────────────────────────────▶│",
        "  0.0001 │◀────────────────────────── SYN,ACK seq 0 ack 1 ──│",
        "  0.0002 │── ACK seq 1 ack 1 ──────────────────────────────▶│",
        "  0.1000 │── PSH,ACK seq 1 ack 1 len 5 ────────────────────▶│",
        "  0.2000 │           ✗────────── ACK seq 1 ack 6 len 1448 ──│ ✗ dropped (rule 3)",
        "  0.4000 │◀─────────────── ACK seq 1 ack 6 len 1448 win 0 ──│",
        "  0.5000 │── FIN,ACK seq 6 ack 1449 ───────────────────────▶│ ⧖ 100 ms (rule 4)",
    ]


def test_a_long_connection_keeps_its_beginning_and_its_end() -> None:
    many = [incoming(n / 10, "ACK", 10 * n, 1, length=10) for n in range(100)]
    drawn = ladder(many, CLIENT, SERVER, lines=10).splitlines()
    assert len(drawn) == 11
    assert "seq 21 " in drawn[3]
    assert "91 packets with 910 bytes" in drawn[4]
    assert "seq 941 " in drawn[5]


def test_what_rules_did_is_counted_where_it_is_left_out() -> None:
    drop = Verdict(rule=1, action="drop")
    many = [incoming(n, "ACK", n, 1, verdict=drop if n == 5 else None) for n in range(20)]
    assert "1 taken by rules" in ladder(many, CLIENT, SERVER, lines=5)


def test_numbers_without_a_syn_count_from_the_first_that_is_seen() -> None:
    rows = [outgoing(1, "PSH,ACK", 5000, 70, length=10), incoming(2, "ACK", 70, 5010)]
    drawn = ladder(rows, CLIENT, SERVER).splitlines()
    assert "seq 1 ack 1 len 10" in drawn[1]
    assert "seq 1 ack 11" in drawn[2]


def test_a_new_connection_on_the_same_ports_counts_anew() -> None:
    rows = [*CONNECTION, incoming(9, "SYN", 12345), outgoing(9.1, "SYN,ACK", 999, 12346)]
    drawn = ladder(rows, CLIENT, SERVER).splitlines()
    assert "SYN seq 0 " in drawn[-2]
    assert "SYN,ACK seq 0 ack 1" in drawn[-1]


def test_a_reset_alone_is_drawn() -> None:
    assert "RST seq 701" in ladder([incoming(1, "RST", 701)], CLIENT, SERVER)


def test_packets_of_others_are_left_out() -> None:
    other = ("10.91.0.9", 50112)
    assert ladder(CONNECTION, other, SERVER) == (
        "no packet between 10.91.0.9:50112 and 10.91.0.2:9000 is on record"
    )


@pytest.mark.parametrize("row", CONNECTION)
def test_no_line_is_wider_than_a_terminal(row: Packet) -> None:
    assert max(map(len, ladder([row], CLIENT, SERVER).splitlines())) <= 82
