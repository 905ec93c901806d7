"""Rules as data: which packets, and what becomes of them.

A `Rule` is what was asked for and never changes. An `Active` rule adds what it has seen, which
decides about the nth match, the count and chance. Neither touches a packet: `engine.py` does.
"""

from __future__ import annotations

import ipaddress
import random
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from iolab.harness.beside.wire.packet import FLAG_NAMES, Packet

IN, OUT = "in", "out"
"""Directions as the subject sees them."""

ACTIONS = ("drop", "delay", "swap", "double", "reset", "rate")

# What `delay_ms` is when a rule does not say. A swapped packet waits for less than the smallest
# retransmission timeout of Linux (200 ms), so that the swap is all that happens.
_SWAP_WAIT_MS = 100.0
_RATE_WAIT_MS = 1000.0


class RuleError(ValueError):
    """A rule that cannot be: one line that names the field and says what is allowed."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; all fields and units as in docs/protocol.md, section Wire.

    `peer` is the client's address and port (0: any of its ports), or None for every peer; `flags`
    a set of header bits that must all be set. `delay_ms` is how long a packet is held: exactly
    (delay), at most (swap, when no other follows), or at most before it is dropped (rate).
    `rate_bps` is in bits a second of whole IP packets, each direction by itself.
    """

    port: int
    action: str
    peer: tuple[str, int] | None = None
    direction: str = "both"
    flags: int = 0
    payload: bool | None = None
    nth: int | None = None
    count: int | None = None
    probability: float = 1.0
    seed: int = 0
    delay_ms: float | None = None
    rate_bps: float | None = None

    @property
    def directions(self) -> tuple[str, ...]:
        return (IN, OUT) if self.direction == "both" else (self.direction,)

    @property
    def family(self) -> int | None:
        """`AF_INET` or `AF_INET6`, or None when the rule is for every peer."""
        if self.peer is None:
            return None
        return socket.AF_INET6 if ":" in self.peer[0] else socket.AF_INET

    @property
    def hold_s(self) -> float:
        """`delay_ms` in seconds."""
        return (self.delay_ms or 0.0) / 1000

    def covers(self, direction: str, packet: Packet) -> bool:
        """Whether the packet is of the rule's flows: just what its iptables line matches."""
        if direction == IN:
            port, host, peer_port = packet.dport, packet.src, packet.sport
        else:
            port, host, peer_port = packet.sport, packet.dst, packet.dport
        return (
            port == self.port
            and (self.direction == "both" or direction == self.direction)
            and (self.peer is None or (self.peer[0] == host and self.peer[1] in (0, peer_port)))
        )

    def selects(self, packet: Packet) -> bool:
        """Whether a packet of the rule's flows is one of those asked for, by its header."""
        return packet.flags & self.flags == self.flags and (
            self.payload is None or self.payload == (packet.length > 0)
        )


class Active:
    """A rule at work. `decided`: packets of its flows that the engine saw; `taken`: acted upon."""

    def __init__(self, number: int, rule: Rule) -> None:
        self.number = number
        self.rule = rule
        self.decided = 0
        self.taken = 0
        self._matches = 0
        self._chosen: tuple[str, tuple[str, int], int] | None = None
        self._chance: dict[tuple[str, tuple[str, int]], random.Random] = {}
        self._peers: dict[tuple[str, int], int] = {}

    def takes(self, direction: str, packet: Packet) -> bool:
        """Whether this packet, which is of the rule's flows, is to be acted upon."""
        if not self.rule.selects(packet):
            return False
        self._matches += 1
        limit = self.rule.count
        peer = _peer(direction, packet)
        if self.rule.nth is not None:
            limit = limit or 1
            if not self._is_nth(direction, peer, packet):
                return False
        if (limit is not None and self.taken >= limit) or not self._lucky(direction, peer):
            return False
        self.taken += 1
        return True

    def _is_nth(self, direction: str, peer: tuple[str, int], packet: Packet) -> bool:
        if self._matches == self.rule.nth:
            self._chosen = (direction, peer, packet.seq)
            return True
        # With a `count`, later tries of the same segment are taken too. The sender may have cut
        # or joined it anew, so it is known by its first byte.
        if self._chosen is None or (direction, peer) != self._chosen[:2]:
            return False
        return packet.covers(self._chosen[2])

    def _lucky(self, direction: str, peer: tuple[str, int]) -> bool:
        if self.rule.probability >= 1.0:
            return True
        # Each flow and direction has its own sequence of draws, named by the order in which its
        # peers appeared: how several connections interleave changes nobody's luck, and neither
        # does a client's ephemeral port.
        chance = self._chance.get((direction, peer))
        if chance is None:
            place = self._peers.setdefault(peer, len(self._peers))
            chance = random.Random(f"{self.rule.seed}/{place}/{direction}")
            self._chance[direction, peer] = chance
        return chance.random() < self.rule.probability


def _peer(direction: str, packet: Packet) -> tuple[str, int]:
    return (packet.src, packet.sport) if direction == IN else (packet.dst, packet.dport)


@dataclass(frozen=True, slots=True)
class _Reader:
    """How one field of a rule is read: what is allowed, in words, and the check itself."""

    allowed: str
    read: Callable[[Any], Any] = field(repr=False)


def parse_rule(data: object) -> Rule:
    """The rule described by a JSON object. Raises RuleError for the first field that is wrong."""
    if not isinstance(data, Mapping):
        raise RuleError(f"rule: an object is needed, not {data!r}")
    known = [f.name for f in fields(Rule)]
    for name in data:
        if name not in known:
            raise RuleError(f"rule.{name}: no such field; there are {', '.join(known)}")
    values: dict[str, Any] = {}
    for name, reader in _READERS.items():
        value = data.get(name)
        if value is None:  # absent and null are the same: the default
            if name in ("port", "action"):
                raise RuleError(f"rule.{name}: must be given: {reader.allowed}")
            continue
        try:
            values[name] = reader.read(value)
        except (ValueError, TypeError):
            raise RuleError(f"rule.{name}: {reader.allowed}, not {value!r}") from None
    return _settled(values)


def _settled(values: dict[str, Any]) -> Rule:
    """Defaults that depend on the action, and parameters that only some actions have."""
    action = values["action"]
    waits = {"swap": _SWAP_WAIT_MS, "rate": _RATE_WAIT_MS}
    if action == "delay" and "delay_ms" not in values:
        raise RuleError("rule.delay_ms: must be given for the action delay")
    if action == "rate" and "rate_bps" not in values:
        raise RuleError("rule.rate_bps: must be given for the action rate")
    if "delay_ms" in values and action not in ("delay", *waits):
        raise RuleError(f"rule.delay_ms: only for delay, swap and rate, not for {action}")
    if "rate_bps" in values and action != "rate":
        raise RuleError(f"rule.rate_bps: only for rate, not for {action}")
    if action in waits:
        values.setdefault("delay_ms", waits[action])
    return Rule(**values)


def _whole(low: int, high: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        if type(value) is not int or not low <= value <= high:
            raise ValueError
        return value

    return read


def _number(accept: Callable[[float], bool]) -> Callable[[Any], float]:
    def read(value: Any) -> float:
        if type(value) not in (int, float) or not accept(value):
            raise ValueError
        return float(value)

    return read


def _one_of(*allowed: Any) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        if value not in allowed or type(value) is not type(allowed[0]):
            raise ValueError
        return value

    return read


def read_peer(value: Any) -> tuple[str, int]:
    """`["10.91.0.4", 0]` → the same as the kernel writes it. ValueError or TypeError if not so."""
    host, port = value
    ip = ipaddress.ip_address(host)
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped  # on the wire it is IPv4
    family = socket.AF_INET if ip.version == 4 else socket.AF_INET6
    return socket.inet_ntop(family, ip.packed), _whole(0, 65535)(port)


def _read_flags(value: Any) -> int:
    if type(value) is not str:
        raise ValueError
    bits = 0
    for name in value.split(","):
        bits |= 1 << FLAG_NAMES.index(name)
    return bits


_FOREVER = 1 << 53  # what JSON carries exactly

_READERS = {
    "port": _Reader("the server's port, 1 to 65535", _whole(1, 65535)),
    "action": _Reader(f"one of {', '.join(ACTIONS)}", _one_of(*ACTIONS)),
    "peer": _Reader("[address, port or 0], or null for every peer", read_peer),
    "direction": _Reader("one of in, out, both", _one_of(IN, OUT, "both")),
    "flags": _Reader(f"names joined by commas, of {', '.join(FLAG_NAMES)}", _read_flags),
    "payload": _Reader("true, false or null", _one_of(True, False)),
    "nth": _Reader("a whole number from 1", _whole(1, _FOREVER)),
    "count": _Reader("a whole number from 1", _whole(1, _FOREVER)),
    "probability": _Reader("a number from 0 to 1", _number(lambda p: 0 <= p <= 1)),
    "seed": _Reader("a whole number", _whole(-_FOREVER, _FOREVER)),
    "delay_ms": _Reader("milliseconds, above 0", _number(lambda ms: 0 < ms < 1e9)),
    "rate_bps": _Reader("bits a second, above 0", _number(lambda bps: 0 < bps < 1e15)),
}
