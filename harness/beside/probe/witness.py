"""The ops that look: `mark`, `snapshot`, `wait`.

Waiting is done here and not by the harness, so that a condition is seen within milliseconds and
the pipe stays quiet. All waits of one moment share one view. The pace starts at 2 ms and slows down
to 20 ms, and between two looks there is rest for five times what a look costs, so that watching a
subject with 20 000 descriptors does not take the CPU from it. The kernel's notice that a socket
died, and the end of a child, bring the next look forward.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from iolab.client import fields
from iolab.client.fields import Fields
from iolab.harness.beside.loop import Loop, Timer
from iolab.harness.beside.ops import Handler, Reply, Request, RequestError, Results
from iolab.harness.beside.probe import conditions, snapshot
from iolab.harness.beside.probe.conditions import Condition, Seen
from iolab.harness.beside.probe.subject import SubjectProcesses
from iolab.harness.beside.probe.view import Endpoint, Memory, Table, View

FASTEST_S = 0.002
SLOWEST_S = 0.020
SLOWING = 1.25
REST = 5
"""A look that costs 1 ms is followed by 5 ms without one, at least."""


@dataclass(slots=True)
class Waiting:
    """One `wait` that has not been answered."""

    condition: Condition
    within_s: float
    label: str | None
    endpoint: Endpoint | None
    since: float
    reply: Reply = field(default_factory=Reply)


class Witness:
    """Looks at the subject, once or until something holds."""

    def __init__(self, loop: Loop, subject: SubjectProcesses, table: Table) -> None:
        self._loop = loop
        self._subject = subject
        self._table = table
        self._memory = Memory()
        self._threads = snapshot.ThreadMemory()
        self._waiting: list[Waiting] = []
        self._pace_s = FASTEST_S
        self._next: Timer | None = None
        self._rested = 0.0  # no look before this time
        self.endpoints: set[Endpoint] = set()  # all that were ever asked about

    def ops(self) -> dict[str, Handler]:
        """The ops by name."""
        return {"mark": self._mark, "snapshot": self._snapshot, "wait": self._wait}

    def view(self) -> View:
        """A fresh look."""
        return View(self._subject, self._table, self._memory, self.endpoints)

    def hurry(self) -> None:
        """Something has just happened: look as soon as the rest after the last look is over."""
        if self._waiting:
            self._pace_s = FASTEST_S
            self._look_in(max(0.0, self._rested - time.monotonic()))

    def _mark(self, request: Request) -> Results:
        Fields(request).end()
        self._subject.mark()
        return {}

    def _snapshot(self, request: Request) -> Results:
        reader = Fields(request)
        label = reader.take("label", fields.TEXT, None)
        at = self._endpoint(reader, None)
        reader.end()
        return {"snapshot": self._take(self.view(), label, at)}

    def _wait(self, request: Request) -> Reply:
        reader = Fields(request)
        condition = conditions.parse(reader.take("condition", fields.TABLE))
        waiting = Waiting(
            condition,
            within_s=reader.take("within_s", fields.SECONDS),
            label=reader.take("label", fields.TEXT, None),
            endpoint=self._endpoint(reader, condition.endpoint),
            since=time.monotonic(),
        )
        reader.end()
        self._waiting.append(waiting)
        self.hurry()
        return waiting.reply

    def _endpoint(self, reader: Fields, otherwise: Endpoint | None) -> Endpoint | None:
        at = conditions.maybe_endpoint(reader) or otherwise
        if at is not None:
            self.endpoints.add(at)
        return at

    def _take(self, view: View, label: str | None, at: Endpoint | None) -> dict[str, Any]:
        shown = snapshot.take(view, self._threads, label, at)
        return shown | {"source": self._table.source}

    def _look_in(self, delay_s: float) -> None:
        if self._next is not None:
            self._loop.cancel(self._next)
        self._next = self._loop.call_later(delay_s, self._look)

    def _look(self) -> None:
        view = self.view()
        seen = [(waiting, self._see(waiting, view)) for waiting in self._waiting]
        cost_s = time.monotonic() - view.t
        for waiting, last in seen:
            if last.holds or view.t - waiting.since >= waiting.within_s:
                self._waiting.remove(waiting)
                self._settle(waiting, last, view)
        now = time.monotonic()
        self._rested = now + REST * cost_s
        self._pace_s = min(self._pace_s * SLOWING, SLOWEST_S)
        if self._waiting:
            next_end = min(waiting.since + waiting.within_s for waiting in self._waiting)
            self._look_in(max(REST * cost_s, min(self._pace_s, next_end - now)))

    def _see(self, waiting: Waiting, view: View) -> Seen:
        try:
            return waiting.condition.look(view)
        except OSError as refusal:  # EACCES comes and goes while a process starts or ends
            return Seen(False, f"it could not be looked at: {refusal}")

    def _settle(self, waiting: Waiting, last: Seen, view: View) -> None:
        after_s = round(view.t - waiting.since, 6)
        # Through the very view in which it held: a later one might contradict it.
        shown = self._take(view, waiting.label, waiting.endpoint)
        if last.holds:
            waiting.reply({"after_s": after_s, "seen": last.words, "snapshot": shown})
        else:
            words = f"waited {after_s:.3f} s; last seen: {last.words}"
            seen = last.words
            waiting.reply.fail(RequestError(words, timeout=True, last=shown, seen=seen))
