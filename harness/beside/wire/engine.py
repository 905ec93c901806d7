"""Decides, packet by packet, and writes down what it did.

## Theory of operation

The queue gives a packet; the rules are asked in the order of their numbers, and the first that
takes it decides. All others count it as theirs and leave it alone; what no rule takes goes on.

A packet that is to arrive later is held in one of two ways. An incoming one waits in the kernel's
queue, and its verdict is given late. An outgoing one is dropped there and then, and a copy is sent
when it is due: the sending TCP must see that its packet has left the host. Kept in the queue it
would count as unsent: TCP Small Queues would throttle the sender, and a retransmission would be
suppressed because the original "is still in the host's queue" (`TCPSpuriousRtxHostQueues`).

A rule that is retired lets go at once of all that it holds, in order, before another packet is
decided, and takes nothing any more: a healed network does not reorder what it had delayed.
"""

from __future__ import annotations

import errno
import functools
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from iolab.harness.beside.loop import Loop, Timer
from iolab.harness.beside.wire.inject import Injector
from iolab.harness.beside.wire.packet import Packet, parse, reset_for
from iolab.harness.beside.wire.queue import ACCEPT, DROP, Queue, Queued
from iolab.harness.beside.wire.records import Record
from iolab.harness.beside.wire.rules import OUT, Active, Rule

_KEPT_RECORDS = 200_000
_BATCH = 256  # packets decided before the loop looks at anything else
_BURST_S = 0.01  # a token bucket holds what the rate gives in this time, but at least …
_BURST = 3000  # … so many bytes: two packets of an Ethernet MTU

_Flow = tuple[str, str, int, str, int]


@dataclass(slots=True, eq=False)
class _Held:
    """A packet that waits to go on."""

    queued: Queued
    packet: Packet
    timer: Timer | None = None

    @property
    def flow(self) -> _Flow:
        p = self.packet
        return self.queued.direction, p.src, p.sport, p.dst, p.dport


@dataclass(slots=True)
class _Bucket:
    """Tokens of one rule and direction: bytes that may go on at the time `at`."""

    tokens: float
    at: float


@dataclass(slots=True)
class _Work:
    """A rule at work with what the engine holds for it."""

    active: Active
    retired: bool = False
    held: dict[_Held, None] = field(default_factory=dict)  # in the order of their coming
    buckets: dict[str, _Bucket] = field(default_factory=dict)


class Engine:
    """Decides on what comes out of the queue.

    `fault(reason)` is called when the record cannot be trusted, `taken()` whenever a rule has taken
    a packet. `records` holds what was done to packets, the oldest `forgotten` ones left out.
    """

    def __init__(
        self,
        loop: Loop,
        queue: Queue,
        injector: Injector,
        *,
        fault: Callable[[str], None],
        taken: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._queue = queue
        self._injector = injector
        self._fault = fault
        self._taken = taken
        self._works: dict[int, _Work] = {}
        self._swaps: dict[_Flow, tuple[_Work, _Held]] = {}
        self._last = 0  # number of the last packet
        self._acts = {
            "drop": self._drop,
            "delay": self._delay,
            "swap": self._swap,
            "double": self._double,
            "reset": self._reset,
            "rate": self._rate,
        }
        self.records: deque[Record] = deque(maxlen=_KEPT_RECORDS)
        self.forgotten = 0

    def add(self, number: int, rule: Rule) -> None:
        """Let the rule take part from the next packet on."""
        self._works[number] = _Work(Active(number, rule))

    def active(self, number: int) -> Active:
        """The rule with its counts. KeyError when there is none of that number."""
        return self._works[number].active

    def numbers(self) -> list[int]:
        """The rules that take part, in their order."""
        return list(self._works)

    def retire(self, number: int) -> None:
        """Let go of all that the rule holds. It counts on, and takes nothing any more."""
        work = self._works[number]
        work.retired = True
        for held in list(work.held):
            self._release(work, held)

    def remove(self, number: int) -> None:
        """Forget a rule that was retired."""
        del self._works[number]

    def on_ready(self, _: int) -> None:
        """Decide on some of what has come; the loop calls again while there is more."""
        self._read()

    def drain(self) -> None:
        """Decide on all that has come until now."""
        while self._read():
            pass

    def audit(self) -> None:
        """See that the queue is still ours, and that nothing in it was overlooked."""
        try:
            self._queue.ask()
        except OSError as error:
            self._queue_fault(f"the engine is dead: {error.strerror}")
            return
        self.drain()
        if not self._queue.is_confirmed():
            self._queue_fault("the engine is dead: the kernel does not confirm that it is bound")

    def _read(self) -> bool:
        """Decide on a batch. Whether there may be more."""
        read = 0
        try:
            for queued in self._queue.read(_BATCH):
                read += 1
                self._last += 1
                if queued.number != self._last:
                    missed = queued.number - self._last
                    self._queue_fault(f"{missed} packets never reached the engine")
                    self._last = queued.number
                self._decide(queued)
        except OSError as error:
            self._queue_fault(error.strerror or str(error))
            return (
                error.errno == errno.ENOBUFS
            )  # said once; what was received before is still there
        return read == _BATCH

    def _queue_fault(self, reason: str) -> None:
        self._fault(f"queue {self._queue.number}: {reason}")

    def _decide(self, queued: Queued) -> None:
        try:
            packet = parse(queued.data)
        except ValueError as error:
            self._queue_fault(f"a packet that cannot be read: {error}")
            self._queue.verdict(queued.number, ACCEPT)
            return
        held = _Held(queued, packet)
        waiting = self._swaps.get(held.flow)
        taker = None
        for work in self._works.values():
            if not work.active.rule.covers(queued.direction, packet):
                continue
            work.active.decided += 1
            if taker is not None or work.retired or (waiting and waiting[0] is work):
                continue
            if work.active.takes(queued.direction, packet):
                taker = work
        if taker is None:
            self._pass(held)
            return
        verdict = self._acts[taker.active.rule.action](taker, held)
        if len(self.records) == _KEPT_RECORDS:
            self.forgotten += 1
        self.records.append(
            Record(
                time.monotonic(),
                queued.direction,
                packet,
                queued.data[: packet.head],
                {"rule": taker.active.number, **verdict},
            )
        )
        self._taken()

    def _pass(self, held: _Held) -> None:
        self._queue.verdict(held.queued.number, ACCEPT)
        if held.flow in self._swaps:
            self._release(*self._swaps[held.flow])

    def _drop(self, _: _Work, held: _Held) -> dict[str, Any]:
        self._queue.verdict(held.queued.number, DROP)
        return {"action": "drop"}

    def _delay(self, work: _Work, held: _Held) -> dict[str, Any]:
        self._hold(work, held, work.active.rule.hold_s)
        return {"action": "delay", "delay_ms": work.active.rule.delay_ms}

    def _swap(self, work: _Work, held: _Held) -> dict[str, Any]:
        self._hold(work, held, work.active.rule.hold_s)
        self._swaps[held.flow] = (work, held)
        return {"action": "swap"}

    def _double(self, _: _Work, held: _Held) -> dict[str, Any]:
        self._pass(held)
        self._inject(held.packet, held.packet.dst, held.queued.data)
        return {"action": "double"}

    def _reset(self, work: _Work, held: _Held) -> dict[str, Any]:
        self._drop(work, held)
        answer = reset_for(held.packet)
        if answer is not None:
            self._inject(held.packet, held.packet.src, answer)
        return {"action": "reset"}

    def _rate(self, work: _Work, held: _Held) -> dict[str, Any]:
        rule = work.active.rule
        rate = (rule.rate_bps or 0.0) / 8
        full = max(_BURST, rate * _BURST_S)
        now = time.monotonic()
        bucket = work.buckets.setdefault(held.queued.direction, _Bucket(full, now))
        tokens = min(full, bucket.tokens + (now - bucket.at) * rate) - len(held.queued.data)
        wait_s = max(0.0, -tokens / rate)
        if wait_s > rule.hold_s:
            return self._drop(work, held)
        bucket.tokens, bucket.at = tokens, now
        # A timer may be late: what comes while others wait waits behind them.
        if wait_s == 0 and not work.held:
            self._pass(held)
            return {"action": "pass"}
        self._hold(work, held, wait_s)
        return {"action": "delay", "delay_ms": round(wait_s * 1000, 3)}

    def _hold(self, work: _Work, held: _Held, wait_s: float) -> None:
        if held.queued.direction == OUT:
            self._queue.verdict(held.queued.number, DROP)
        work.held[held] = None
        held.timer = self._loop.call_later(wait_s, functools.partial(self._release, work, held))

    def _release(self, work: _Work, held: _Held) -> None:
        """Let a held packet go on, when it is due or earlier."""
        del work.held[held]
        if held.timer is not None:
            self._loop.cancel(held.timer)
        if self._swaps.get(held.flow) == (work, held):
            del self._swaps[held.flow]
        if held.queued.direction == OUT:
            self._inject(held.packet, held.packet.dst, held.queued.data)
            return
        try:
            self._queue.verdict(held.queued.number, ACCEPT)
        except OSError as error:
            self._queue_fault(error.strerror or str(error))

    def _inject(self, packet: Packet, destination: str, data: bytes) -> None:
        try:
            self._injector.send(packet.family, destination, data)
        except OSError as error:
            self._fault(f"a packet to {destination} could not be sent: {error}")
