"""Rules as data: what is refused, what is matched, and that chance repeats."""

from __future__ import annotations

import re
import socket
from typing import Any

import pytest

from iolab.client.fields import Invalid
from iolab.harness.beside.wire.packet import ACK, FIN, PSH, SYN, Packet
from iolab.harness.beside.wire.rules import IN, OUT, Active, parse_rule

SERVER, CLIENT = ("10.91.0.2", 9000), ("10.91.0.4", 50112)
MINIMAL = {"port": 9000, "action": "drop"}


def packet(
    direction: str = IN,
    *,
    client: tuple[str, int] = CLIENT,
    flags: int = ACK,
    seq: int = 0,
    length: int = 0,
) -> Packet:
    src, dst = (client, SERVER) if direction == IN else (SERVER, client)
    return Packet(socket.AF_INET, *src, *dst, flags, seq, 0, length, 64, 20, 40)


def active(**fields: Any) -> Active:
    return Active(1, parse_rule({**MINIMAL, **fields}))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"port": 0}, "`rule.port` must be a port from 1 to 65535, not 0"),
        ({"port": True}, "`rule.port` must be a port from 1 to 65535, not True"),
        ({"port": None}, "`rule.port` is missing; it is a port from 1 to 65535"),
        (
            {"action": "lose"},
            "`rule.action` must be one of drop, delay, swap, double, ",
        ),
        (
            {"peer": "10.91.0.4"},
            '`rule.peer` must be an address as ["10.91.0.4", 50112]',
        ),
        ({"peer": ["10.91.0", 0]}, "`rule.peer` must be an address"),
        ({"peer": ["10.91.0.4", 70000]}, "`rule.peer` must be an address"),
        ({"direction": "up"}, '`rule.direction` must be "in" or "out" or "both", not'),
        ({"flags": "FIN,KEY"}, "`rule.flags` must be names joined by commas, of FIN, SYN"),
        ({"flags": 1}, "`rule.flags` must be names joined by commas"),
        ({"payload": 1}, "`rule.payload` must be true or false, not 1"),
        ({"nth": 0}, "`rule.nth` must be a whole number, 1 or more, not 0"),
        ({"count": 1.5}, "`rule.count` must be a whole number, 1 or more, not 1.5"),
        ({"probability": 2}, "`rule.probability` must be a number from 0 to 1, not 2"),
        ({"seed": "x"}, "`rule.seed` must be a whole number, not 'x'"),
        ({"action": "delay"}, "`rule.delay_ms` must be given for the action delay"),
        (
            {"action": "delay", "delay_ms": 0},
            "`rule.delay_ms` must be milliseconds, more",
        ),
        ({"action": "rate"}, "`rule.rate_bps` must be given for the action rate"),
        ({"delay_ms": 5}, "`rule.delay_ms` is only for delay, swap and rate, not for drop"),
        ({"rate_bps": 5}, "`rule.rate_bps` is only for rate, not for drop"),
        ({"delay": 5}, "`rule.delay` is no field of it; allowed: port, action,"),
    ],
)
def test_a_rule_that_cannot_be_names_its_field(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(Invalid, match=f"^{re.escape(message)}") as error:
        parse_rule({**MINIMAL, **fields})
    assert error.value.field == message.split("`")[1]


def test_a_rule_is_an_object() -> None:
    with pytest.raises(Invalid, match=r"^`rule` must be a table, not None$"):
        parse_rule(None)


def test_addresses_are_written_as_the_kernel_writes_them() -> None:
    assert parse_rule({**MINIMAL, "peer": ["FD00::0:1", 0]}).peer == ("fd00::1", 0)
    assert parse_rule({**MINIMAL, "peer": ["::ffff:10.91.0.4", 7]}).peer == ("10.91.0.4", 7)


@pytest.mark.parametrize(
    ("fields", "direction", "covered"),
    [
        ({}, IN, True),
        ({}, OUT, True),
        ({"direction": "in"}, OUT, False),
        ({"direction": "out"}, OUT, True),
        ({"peer": [CLIENT[0], 0]}, IN, True),
        ({"peer": list(CLIENT)}, OUT, True),
        ({"peer": [CLIENT[0], 1]}, IN, False),
        ({"peer": ["10.91.0.5", 0]}, OUT, False),
        ({"port": 9001}, IN, False),
    ],
)
def test_a_rule_covers_its_flows(fields: dict[str, Any], direction: str, covered: bool) -> None:
    assert active(**fields).rule.covers(direction, packet(direction)) is covered


@pytest.mark.parametrize(
    ("fields", "flags", "length", "taken"),
    [
        ({"flags": "FIN"}, FIN | ACK, 0, True),
        ({"flags": "FIN"}, ACK, 0, False),
        ({"flags": "SYN,ACK"}, SYN, 0, False),
        ({"flags": "SYN,ACK"}, SYN | ACK, 0, True),
        ({"payload": True}, PSH | ACK, 1, True),
        ({"payload": True}, ACK, 0, False),
        ({"payload": False}, ACK, 0, True),
        ({"payload": False}, ACK, 1, False),
    ],
)
def test_flags_and_payload_select(
    fields: dict[str, Any], flags: int, length: int, taken: bool
) -> None:
    assert active(**fields).takes(IN, packet(flags=flags, length=length)) is taken


def test_count_limits_what_is_taken() -> None:
    rule = active(count=2)
    assert [rule.takes(IN, packet()) for _ in range(4)] == [True, True, False, False]
    assert rule.taken == 2


def test_nth_takes_one_match_only() -> None:
    rule = active(nth=2, payload=True)
    sent = [packet(seq=seq, length=length) for seq, length in [(0, 9), (9, 0), (9, 9), (18, 9)]]
    assert [rule.takes(IN, one) for one in sent] == [False, False, True, False]
    assert not rule.takes(IN, sent[2])


def test_nth_with_a_count_takes_the_same_segment_again_however_it_is_cut() -> None:
    rule = active(nth=2, count=3)
    first = 0xFFFFFFF0
    sent = [
        (packet(seq=first, length=8), False),
        (packet(seq=first + 8, length=8), True),
        (packet(seq=0, length=8), False),
        (packet(seq=first, length=16), True),  # joined with the one before
        (packet(seq=first + 8, length=8, client=("10.91.0.4", 7)), False),  # another flow
        (packet(seq=first + 8, length=1), True),
        (packet(seq=first + 8, length=8), False),  # the count is reached
    ]
    assert [rule.takes(IN, one) for one, _ in sent] == [taken for _, taken in sent]


def test_chance_repeats_under_the_same_seed_and_differs_under_another() -> None:
    def draws(seed: int) -> list[bool]:
        rule = active(probability=0.3, seed=seed)
        return [rule.takes(IN, packet()) for _ in range(200)]

    assert draws(1) == draws(1)
    assert draws(1) != draws(2)
    assert 30 < sum(draws(1)) < 90


def test_chance_of_a_flow_knows_neither_its_port_nor_how_it_mixes_with_others() -> None:
    def draws(ports: list[int]) -> dict[int, list[bool]]:
        rule = active(probability=0.5, seed=3)
        drawn: dict[int, list[bool]] = {}
        for port in ports:
            taken = rule.takes(IN, packet(client=("10.91.0.4", port)))
            drawn.setdefault(port, []).append(taken)
        return drawn

    apart = draws([1] * 50 + [2] * 50)
    mixed = draws([7, 8] * 50)
    assert [apart[1], apart[2]] == [mixed[7], mixed[8]]


def test_probability_zero_takes_nothing() -> None:
    rule = active(probability=0)
    assert not any(rule.takes(IN, packet()) for _ in range(50))
