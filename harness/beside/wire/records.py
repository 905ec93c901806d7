"""What was seen on the wire and what was done to it, as rows: docs/protocol.md, section Wire.

Two witnesses see the packets of a flow with a rule. The capture sees those that are on the
interface: an incoming packet before the engine decides, an outgoing one after. The engine sees all,
but writes down only those that a rule took. `merge` makes one list of both.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from iolab.harness.beside.wire.packet import Packet, flags_text
from iolab.harness.beside.wire.rules import IN


class Record(NamedTuple):
    """One packet: `t` in seconds of `CLOCK_MONOTONIC`, and the bytes of its headers."""

    t: float
    direction: str
    packet: Packet
    headers: bytes
    verdict: dict[str, Any] | None = None

    def row(self) -> list[Any]:
        """The record as JSON has it."""
        p = self.packet
        ends = (p.src, p.sport, p.dst, p.dport)
        numbers = (p.seq, p.ack, p.length, p.window)
        return [self.t, self.direction, *ends, flags_text(p.flags), *numbers, self.verdict]

    def is_of(self, peer: tuple[str, int]) -> bool:
        """Whether the packet's other end is `peer`; port 0 stands for any."""
        p = self.packet
        host, port = (p.src, p.sport) if self.direction == IN else (p.dst, p.dport)
        return host == peer[0] and peer[1] in (0, port)


def merge(captured: Iterable[Record], decided: Sequence[Record]) -> list[Record]:
    """One list in the order of time.

    The verdict on an incoming packet is put on its captured row. An outgoing packet has the row of
    its verdict, from when TCP sent it, and a captured one for each time that it left. A verdict on
    a part of a captured super-packet, or on a packet that was not captured, is a row of its own.
    """
    rows = sorted(captured, key=lambda record: record.t)
    places: dict[Packet, list[int]] = {}
    incoming = {record.packet for record in decided if record.direction == IN}
    for place, record in enumerate(rows):
        if record.direction == IN and record.packet in incoming:
            places.setdefault(record.packet, []).append(place)
    alone = []
    for record in decided:
        candidates = places.get(record.packet, []) if record.direction == IN else []
        # The kernel stamps a packet before it queues it: the last equal one before is the one.
        found = bisect.bisect_right(candidates, record.t, key=lambda place: rows[place].t)
        if found:
            place = candidates.pop(found - 1)
            rows[place] = rows[place]._replace(verdict=record.verdict)
        else:
            alone.append(record)
    return sorted([*rows, *alone], key=lambda record: record.t)


def told(rule: int, action: str, delay_ms: float | None = None) -> str:
    """A verdict in words: `dropped (rule 3)`, `100 ms (rule 1)`."""
    return f"{_DONE.get(action) or f'{delay_ms:g} ms'} (rule {rule})"


_DONE = {
    "drop": "dropped",
    "swap": "swapped",
    "double": "doubled",
    "reset": "answered by a reset",
    "pass": "passed",
}
