"""A ladder diagram of one connection, in plain text, from the wire's records.

  client 10.91.0.4:50112                server 10.91.0.2:9000
  0.0000 │── SYN seq 0 ────────────────────────────────────▶│
  0.0001 │◀────────────────────────── SYN,ACK seq 0 ack 1 ──│
  0.2004 │── FIN,ACK seq 6 ack 6 ───────────────✗           │ ✗ dropped (rule 3)

Times are seconds from the connection's first row; sequence numbers count from its SYNs, or from 1
for the first that was seen where a SYN is not on record. `len` above one MTU is a super-packet.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from iolab.harness.beside.wire.records import told
from iolab.harness.record.base import Address
from iolab.harness.record.probe import Packet

_LANE = 50  # characters between the two ends
_SIGNS = {"drop": "✗", "reset": "✗", "delay": "⧖", "swap": "⇅", "double": "⧉", "pass": "·"}
_LOST = ("drop", "reset")


class _Rung(NamedTuple):
    """A packet of the connection, its time from the start, and where its numbers count from."""

    packet: Packet
    t: float
    base: Mapping[Address, int]


def ladder(rows: Iterable[Packet], client: Address, server: Address, lines: int = 40) -> str:
    """The diagram of the packets between `client` and `server`; pure.

    `rows` are packets in the order of time. At most `lines` (3 or more) stand
    below the heading; of a longer connection the first third, what was left out, and the last.
    """
    rungs = _rungs(rows, {client, server})
    if not rungs:
        return f"no packet between {_end(client)} and {_end(server)} is on record"
    left = f"  client {_end(client)}"
    heading = left + f"server {_end(server)}".rjust(_LANE + 11 - len(left))
    if len(rungs) <= lines:
        return "\n".join([heading, *(_line(rung, client) for rung in rungs)])
    first = max(1, lines // 3)
    last = max(1, lines - first - 1)
    return "\n".join(
        [
            heading,
            *(_line(rung, client) for rung in rungs[:first]),
            " " * 8 + f" ┆{_left_out(rungs[first:-last]).center(_LANE)}┆",
            *(_line(rung, client) for rung in rungs[-last:]),
        ]
    )


def _rungs(rows: Iterable[Packet], ends: set[Address]) -> list[_Rung]:
    rungs: list[_Rung] = []
    base: Mapping[Address, int] = {}
    for packet in rows:
        if {packet.sender, packet.receiver} == ends:
            base = _rebased(base, packet)
            start = rungs[0].packet.t if rungs else packet.t
            rungs.append(_Rung(packet, packet.t - start, base))
    return rungs


def _rebased(base: Mapping[Address, int], packet: Packet) -> Mapping[Address, int]:
    sender, receiver = packet.sender, packet.receiver
    flags, seq, ack = packet.flags.split(","), packet.seq, packet.ack
    if "SYN" in flags and base.get(sender) != seq:
        # A first SYN with another number: the same addresses and ports, and a new connection.
        base = {sender: seq} if "ACK" not in flags else {**base, sender: seq}
    elif sender not in base and "RST" not in flags:
        base = {**base, sender: seq - 1}
    if receiver not in base and "ACK" in flags:
        base = {**base, receiver: ack - 1}
    return base


def _left_out(rungs: list[_Rung]) -> str:
    size = sum(rung.packet.length for rung in rungs)
    taken = sum(rung.packet.verdict is not None for rung in rungs)
    note = f"{len(rungs)} packets with {size} bytes"
    return f"{note}, {taken} taken by rules" if taken else note


def _line(rung: _Rung, client: Address) -> str:
    verdict = rung.packet.verdict
    rightwards = rung.packet.sender == client
    label = _label(rung)
    action = verdict.action if verdict else ""
    shaft = "─" * max(2, _LANE - len(label) - 5)
    head = "▶" if rightwards else "◀"
    if action in _LOST:
        reach = max(1, len(shaft) // 2)
        shaft = (shaft[:reach] + _SIGNS[action]).ljust(len(shaft))
        head = " "
    arrow = f"── {label} {shaft}{head}" if rightwards else f"{head}{shaft[::-1]} {label} ──"
    note = ""
    if verdict:
        note = f" {_SIGNS[action]} {told(verdict.rule, action, verdict.delay_ms)}"
    return f"{rung.t:8.4f} │{arrow.ljust(_LANE)}│{note}"


def _label(rung: _Rung) -> str:
    packet, base = rung.packet, rung.base
    names = packet.flags.split(",")
    seq = _distance(packet.seq, base.get(packet.sender, 0))
    words = [packet.flags or "no flags", f"seq {seq}"]
    if "ACK" in names:
        words.append(f"ack {_distance(packet.ack, base[packet.receiver])}")
    if packet.length:
        words.append(f"len {packet.length}")
    if packet.window == 0 and "RST" not in names:
        words.append("win 0")
    return " ".join(words)


def _distance(number: int, base: int) -> int:
    """From `base` to `number` on the circle of 32 bits; negative for what lies before."""
    distance = (number - base) & 0xFFFFFFFF
    return distance - (1 << 32) if distance >> 31 else distance


def _end(end: Address) -> str:
    host, port = end
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
