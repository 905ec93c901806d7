"""The op `activity`: what each thread of the subject does over a stretch of time, by sampling.

From this come the pictures of the IO models: a blocking server asleep in `recvfrom` on one client's
descriptor, a select server in `select`, a busy one running. Between two samples a thread may have
done anything; what it did in sum, the kernel's own counts of switches and CPU time tell. With
`port`, the receive queues of the connections there are looked at in the same moments: so it shows
what a thread was doing when bytes were copied out of a socket.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from iolab.client import fields
from iolab.client.fields import Fields
from iolab.harness.beside.loop import Loop
from iolab.harness.beside.ops import Handler, Reply, Request, RequestError
from iolab.harness.beside.probe import processes
from iolab.harness.beside.probe.processes import GONE, Thread
from iolab.harness.beside.probe.sockets import Address, Row
from iolab.harness.beside.probe.subject import SubjectProcesses
from iolab.harness.beside.probe.view import Table

MOST_SAMPLES = 100_000

Doing = tuple[str, str | None, int | None]
"""State, system call, descriptor."""


@dataclass(slots=True)
class Line:
    """One thread's line in time."""

    pid: int
    first: Thread
    last: Thread
    seen: Counter[Doing] = field(default_factory=Counter)
    spans: list[tuple[float, float, Doing]] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)

    def add(self, now: float, thread: Thread) -> None:
        """One sample; equal ones after one another make one span."""
        doing = (thread.state, *thread.syscall)
        if thread.switches[0] > self.last.switches[0]:
            self.slept.append(now)
        self.last = thread
        self.seen[doing] += 1
        if self.spans and self.spans[-1][2] == doing:
            self.spans[-1] = (self.spans[-1][0], now, doing)
        else:
            self.spans.append((now, now, doing))

    def as_json(self) -> dict[str, Any]:
        """As `docs/protocol.md` has it."""
        total = self.seen.total()
        calls: Counter[tuple[str | None, int | None]] = Counter()
        states: Counter[str] = Counter()
        for (state, call, descriptor), count in self.seen.items():
            calls[call, descriptor] += count
            states[state] += count
        return {
            "pid": self.pid,
            "tid": self.first.tid,
            "name": self.last.name,
            "samples": total,
            "calls": [
                {"syscall": call, "fd": descriptor, "share": round(count / total, 4)}
                for (call, descriptor), count in calls.most_common()
            ],
            "states": {state: round(count / total, 4) for state, count in states.most_common()},
            "switches": [
                last - first
                for first, last in zip(self.first.switches, self.last.switches, strict=True)
            ],
            "cpu_s": round(self.last.cpu_s - self.first.cpu_s, 3),
            "slept": [round(t, 4) for t in self.slept],
            "timeline": [
                [round(since, 4), round(until, 4), *doing] for since, until, doing in self.spans
            ],
        }


class Queues:
    """What waits in the sockets at one port: `[t, recv_q, bytes_received]` at each change."""

    def __init__(self, table: Table, port: int | None) -> None:
        """Without a port there is nothing to see."""
        self._table = table
        self._port = port
        self._seen: dict[Address, list[tuple[float, int, int | None]]] = {}

    def look(self, now: float) -> None:
        """One sample."""
        if self._port is None:
            return
        for row in self._table.rows(self._port, info=True):
            if row.state != "LISTEN":
                self._note(now, row)

    def _note(self, now: float, row: Row) -> None:
        info = row.info
        seen = self._seen.setdefault(row.peer, [])
        change = (now, row.recv_q, info.bytes_received if info else None)
        if not seen or seen[-1][1:] != change[1:]:
            seen.append(change)

    def as_json(self) -> list[dict[str, Any]]:
        """As `docs/protocol.md` has it."""
        return [
            {"peer": peer, "queue": [[round(t, 4), *counts] for t, *counts in seen]}
            for peer, seen in self._seen.items()
        ]


class Activity:
    """Samples the subject's threads, and its sockets' queues, on the probe's loop."""

    def __init__(self, loop: Loop, subject: SubjectProcesses, table: Table) -> None:
        self._loop = loop
        self._subject = subject
        self._table = table

    def ops(self) -> dict[str, Handler]:
        """The op by its name."""
        return {"activity": self._activity}

    def _activity(self, request: Request) -> Reply:
        reader = Fields(request)
        within_s = reader.take("within_s", fields.SECONDS)
        every_s = reader.take("every_s", fields.SECONDS)
        queues = Queues(self._table, reader.take("port", fields.PORT, None))
        reader.end()
        if every_s * MOST_SAMPLES < within_s:
            least = f"at least {within_s / MOST_SAMPLES} for {within_s} s"
            raise reader.wrong("every_s", f"must be {least}", least)
        reply = Reply()
        begun = time.monotonic()
        lines: dict[tuple[int, int], Line] = {}
        used: dict[int, tuple[float, float]] = {}  # CPU seconds at its first and last sample

        def sample() -> None:
            now = time.monotonic()
            queues.look(now)
            for one in self._subject.look():
                try:
                    cpu_s = processes.cpu_s(one.pid)
                    used[one.pid] = (used.get(one.pid, (cpu_s,))[0], cpu_s)
                    threads = processes.threads(one.pid)
                except GONE:
                    continue
                except PermissionError as error:
                    reply.fail(RequestError(f"process {one.pid} may not be looked at: {error}"))
                    return
                for thread in threads:
                    key = (one.pid, thread.tid)
                    lines.setdefault(key, Line(one.pid, thread, thread)).add(now, thread)
            if now - begun < within_s:
                self._loop.call_later(every_s, sample)
            else:
                reply({**_results(begun, now, lines, used), "queues": queues.as_json()})

        sample()
        return reply


def _results(
    begun: float,
    ended: float,
    lines: dict[tuple[int, int], Line],
    used: dict[int, tuple[float, float]],
) -> dict[str, Any]:
    return {
        "from": begun,
        "to": ended,
        "threads": [lines[key].as_json() for key in sorted(lines)],
        "processes": [
            {"pid": pid, "cpu_s": round(last - first, 6)} for pid, (first, last) in used.items()
        ],
    }
