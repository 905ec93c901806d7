"""Queue, engine and iptables chains together: rules come into force, are audited, and go.

A rule comes into force from the inside out: engine first, then the iptables lines, so that no
packet is queued before somebody decides. It goes from the outside in, and what the kernel has
counted for it is held against what the engine has decided: the kernel counts a super-packet once
and queues its segments, so the engine may have decided on more, but never on fewer.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

from iolab.harness.beside.loop import READ, Loop, Timer
from iolab.harness.beside.ops import Reply, RequestError
from iolab.harness.beside.wire.commands import Command, Outcome, Plan, Runner
from iolab.harness.beside.wire.engine import Engine
from iolab.harness.beside.wire.inject import Injector
from iolab.harness.beside.wire.iptables import Tables
from iolab.harness.beside.wire.queue import bind_first_free
from iolab.harness.beside.wire.records import Record
from iolab.harness.beside.wire.rules import Rule

_QUEUES = range(0x10AB, 0x10AB + 8)
_AUDIT_EVERY_S = 0.25


@dataclass(slots=True, eq=False)
class _Wait:
    """Somebody who waits until a rule has taken so many packets."""

    rule: int
    taken: int
    reply: Reply
    timer: Timer | None = None


class Gate:
    """Holds packets in the network namespace of this process, from the first rule on.

    `fault(reason)` is called when what it tells cannot be trusted. Raises OSError where the kernel
    or the capabilities do not allow it.
    """

    def __init__(self, loop: Loop, fault: Callable[[str], None]) -> None:
        self.rules: set[int] = set()
        self._loop = loop
        self._fault = fault
        self._last = 0
        self._waits: list[_Wait] = []
        families = [socket.AF_INET]
        if os.path.exists("/proc/net/if_inet6"):
            families.append(socket.AF_INET6)
        self._injector = Injector(families)
        try:
            self._queue = bind_first_free(_QUEUES)
        except BaseException:
            self._injector.close()
            raise
        self._tables = Tables(self._queue.number, families)
        self._runner = Runner(loop)
        self._engine = Engine(loop, self._queue, self._injector, fault=fault, taken=self._taken)
        loop.register(self._queue.fileno(), READ, self._engine.on_ready)
        self._timer = loop.call_later(_AUDIT_EVERY_S, self._audit)

    @property
    def records(self) -> list[Record]:
        """What was done to packets, in the order of time."""
        return list(self._engine.records)

    @property
    def forgotten(self) -> int:
        """How many of the oldest records are not kept any more."""
        return self._engine.forgotten

    def add(self, rule: Rule) -> Reply:
        """Answers `rule` once queue, iptables lines and engine are seen in place."""
        self._last += 1
        number, reply = self._last, Reply()
        self._engine.add(number, rule)

        def done(_: Any) -> None:
            self.rules.add(number)
            reply({"rule": number})

        def failed(error: Exception) -> None:
            self._engine.retire(number)
            self._engine.remove(number)
            reply.fail(RequestError(str(error)))

        self._runner.start(self._tables.add(number, rule), done, failed)
        return reply

    def remove(self, number: int) -> Reply:
        """Answers with the rule's counts once it is seen to be gone."""
        self.rules.remove(number)
        self._engine.retire(number)
        return self._answer(self._removal(number))

    def list(self) -> Reply:
        """Answers `rules`: number and counts of each."""

        def plan() -> Generator[Command, Outcome, dict[str, Any]]:
            matched = yield from self._compare()
            return {"rules": [self._counts(rule, matched) for rule in sorted(self.rules)]}

        return self._answer(plan())

    def wait(self, number: int, taken: int, within_s: float) -> Reply:
        """Answers once the rule has taken `taken` packets, or fails after `within_s` seconds."""
        wait = _Wait(number, taken, Reply())

        def late() -> None:
            self._waits.remove(wait)
            last = {"rule": number, "taken": self._engine.active(number).taken}
            message = f"rule {number} took {last['taken']} of {taken} packets within {within_s} s"
            wait.reply.fail(RequestError(message, timeout=True, last=last))

        wait.timer = self._loop.call_later(within_s, late)
        self._waits.append(wait)
        self._taken()
        return wait.reply

    def close(self) -> None:
        """Take everything away and let go. Raises TablesError if something stays."""
        self._loop.cancel(self._timer)
        for number in self._engine.numbers():
            self._engine.retire(number)
        try:
            self._runner.finish(self._tables.tear_down())
            self._engine.drain()
        finally:
            self._loop.unregister(self._queue.fileno())
            self._queue.close()
            self._injector.close()
            self._tables.close()

    def _answer(self, plan: Plan) -> Reply:
        reply = Reply()
        self._runner.start(plan, reply, lambda error: reply.fail(RequestError(str(error))))
        return reply

    def _removal(self, number: int) -> Generator[Command, Outcome, dict[str, Any]]:
        counts = self._counts(number, (yield from self._compare()))
        yield from self._tables.remove(number)
        self._engine.drain()
        for wait in [wait for wait in self._waits if wait.rule == number]:
            self._settle(wait)
            wait.reply.fail(RequestError(f"rule {number} was removed", last=counts))
        self._engine.remove(number)
        return counts

    def _compare(self) -> Generator[Command, Outcome, dict[int, int]]:
        """What iptables has counted, after it was held against what the engine decided."""
        counters = yield from self._tables.counters()
        self._engine.audit()
        for number, matched in counters.items():
            decided = self._engine.active(number).decided
            if decided < matched:
                self._fault(
                    f"rule {number}: iptables counted {matched} packets, "
                    f"and the engine decided on {decided}"
                )
        return counters

    def _counts(self, number: int, matched: dict[int, int]) -> dict[str, Any]:
        active = self._engine.active(number)
        return {
            "rule": number,
            "matched": matched[number],
            "decided": active.decided,
            "taken": active.taken,
        }

    def _audit(self) -> None:
        if self.rules:
            self._engine.audit()
        self._timer = self._loop.call_later(_AUDIT_EVERY_S, self._audit)

    def _taken(self) -> None:
        for wait in self._waits[:]:
            taken = self._engine.active(wait.rule).taken
            if taken >= wait.taken:
                self._settle(wait)
                wait.reply({"rule": wait.rule, "taken": taken})

    def _settle(self, wait: _Wait) -> None:
        self._waits.remove(wait)
        if wait.timer is not None:
            self._loop.cancel(wait.timer)
