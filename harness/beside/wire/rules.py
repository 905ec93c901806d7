"""Rules as data: which packets, and what becomes of them.

A `Rule` is what was asked for and never changes. An `Active` rule adds what it has seen, which
decides about the nth match, the count and chance. Neither touches a packet: `engine.py` does.
"""

from __future__ import annotations

import ipaddress
import random
import socket
from dataclasses import dataclass, replace
from typing import Annotated

from iolab.client.fields import (
    TEXT,
    Address,
    Flag,
    Invalid,
    Kind,
    Port,
    number,
    one_of,
    read,
    whole,
)
from iolab.harness.beside.wire.packet import FLAG_NAMES, Packet

IN, OUT = "in", "out"
"""Directions as the subject sees them."""

ACTIONS = ("drop", "delay", "swap", "double", "reset", "rate")

# What `delay_ms` is when a rule does not say. A swapped packet waits for less than the smallest
# retransmission timeout of Linux (200 ms), so that the swap is all that happens.
_SWAP_WAIT_MS = 100.0
_RATE_WAIT_MS = 1000.0


def _peer(value: object) -> Address:
    """`["10.91.0.4", 0]` → the same as the kernel writes it."""
    if not isinstance(value, list | tuple):
        raise ValueError
    host, port = value
    ip = ipaddress.ip_address(host)
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped  # on the wire it is IPv4
    family = socket.AF_INET if ip.version == 4 else socket.AF_INET6
    return socket.inet_ntop(family, ip.packed), whole(0, 65535).read(port)


def _flags(value: object) -> int:
    bits = 0
    for name in TEXT.read(value).split(","):
        bits |= 1 << FLAG_NAMES.index(name)
    return bits


FOREVER = 1 << 53  # what JSON carries exactly

PEER = Kind('an address as ["10.91.0.4", 50112] (port 0: any)', _peer)
_ACTION = one_of(*ACTIONS)
_DIRECTION = one_of(IN, OUT, "both")
_FLAGS = Kind(f"names joined by commas, of {', '.join(FLAG_NAMES)}", _flags)
_CHANCE = number("a number from 0 to 1", lambda chance: 0 <= chance <= 1)
_SEED = whole(-FOREVER, FOREVER, "a whole number")
_TIMES = whole(1, FOREVER, "a whole number, 1 or more")
_DELAY = number("milliseconds, more than 0", lambda ms: 0 < ms < 1e9)
_RATE = number("bits a second, more than 0", lambda bps: 0 < bps < 1e15)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; all fields and units as in docs/protocol.md, section Wire.

    `peer` is the client's address and port (0: any of its ports), or None for every peer; `flags`
    a set of header bits that must all be set. `delay_ms` is how long a packet is held: exactly
    (delay), at most (swap, when no other follows), or at most before it is dropped (rate).
    `rate_bps` is in bits a second of whole IP packets, each direction by itself.
    """

    port: Port
    action: Annotated[str, _ACTION]
    peer: Annotated[Address, PEER] | None = None
    direction: Annotated[str, _DIRECTION] = "both"
    flags: Annotated[int, _FLAGS] = 0
    payload: Flag | None = None
    nth: Annotated[int, _TIMES] | None = None
    count: Annotated[int, _TIMES] | None = None
    probability: Annotated[float, _CHANCE] = 1.0
    seed: Annotated[int, _SEED] = 0
    delay_ms: Annotated[float, _DELAY] | None = None
    rate_bps: Annotated[float, _RATE] | None = None

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
        self._chosen: tuple[str, Address, int] | None = None
        self._chance: dict[tuple[str, Address], random.Random] = {}
        self._peers: dict[Address, int] = {}

    def takes(self, direction: str, packet: Packet) -> bool:
        """Whether this packet, which is of the rule's flows, is to be acted upon."""
        if not self.rule.selects(packet):
            return False
        self._matches += 1
        limit = self.rule.count
        peer = _peer_of(direction, packet)
        if self.rule.nth is not None:
            limit = limit or 1
            if not self._is_nth(direction, peer, packet):
                return False
        if (limit is not None and self.taken >= limit) or not self._lucky(direction, peer):
            return False
        self.taken += 1
        return True

    def _is_nth(self, direction: str, peer: Address, packet: Packet) -> bool:
        if self._matches == self.rule.nth:
            self._chosen = (direction, peer, packet.seq)
            return True
        # With a `count`, later tries of the same segment are taken too. The sender may have cut
        # or joined it anew, so it is known by its first byte.
        if self._chosen is None or (direction, peer) != self._chosen[:2]:
            return False
        return packet.covers(self._chosen[2])

    def _lucky(self, direction: str, peer: Address) -> bool:
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


def _peer_of(direction: str, packet: Packet) -> Address:
    return (packet.src, packet.sport) if direction == IN else (packet.dst, packet.dport)


def parse_rule(data: object) -> Rule:
    """The rule described by a JSON object. Raises Invalid for the first field that is wrong."""
    rule = read(Rule, data, at="rule")
    waits = {"swap": _SWAP_WAIT_MS, "rate": _RATE_WAIT_MS}
    if rule.action == "delay" and rule.delay_ms is None:
        raise Invalid("must be given for the action delay", field="rule.delay_ms")
    if rule.action == "rate" and rule.rate_bps is None:
        raise Invalid("must be given for the action rate", field="rule.rate_bps")
    if rule.delay_ms is not None and rule.action not in ("delay", *waits):
        problem = f"is only for delay, swap and rate, not for {rule.action}"
        raise Invalid(problem, field="rule.delay_ms")
    if rule.rate_bps is not None and rule.action != "rate":
        raise Invalid(f"is only for rate, not for {rule.action}", field="rule.rate_bps")
    return replace(rule, delay_ms=rule.delay_ms or waits.get(rule.action))
