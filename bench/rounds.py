"""Playing the plan: rounds, in each of which every group is measured once, in random order."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.contestants import CONTESTANTS
from bench.crowd import gather
from bench.errors import Failure
from bench.load.shape import Client, Sample
from bench.machine import Machine, busy_s, cpu_s
from bench.plan import Entry, Group
from bench.serving import serving

DISTURBED = 0.2
"""Of a core: if others used more, a measurement is made again."""

AGAIN = 0.2
"""Of all measurements, so many at most: nobody waits for ever for a machine that is never calm."""


@dataclass(frozen=True)
class Pace:
    """How long a measurement lasts, and how many rounds there are."""

    rounds: int
    warm_s: float
    for_s: float


@dataclass(frozen=True)
class Measurement:
    """A sample, and what else was seen: bytes of the server's memory that each connection added,
    and how many cores others kept busy meanwhile. (Of a crowd, the memory is not known.)"""

    sample: Sample
    memory: float | None
    others: float


@dataclass
class Results:
    """By group and entry: a measurement for each round, and why there is none."""

    rounds: dict[tuple[str, str], list[Measurement]] = field(default_factory=dict)
    absent: dict[tuple[str, str], str] = field(default_factory=dict)


@dataclass(frozen=True)
class Clients:
    """The load clients: what most entries are measured by, and the agent."""

    usual: Client
    agent: Client


def schedule(groups: Sequence[Group], rounds: int, seed: int) -> Iterator[tuple[Group, Entry]]:
    """The order of all measurements: groups shuffled in every round, and entries within each."""
    dice = random.Random(seed)
    for _ in range(rounds):
        for group in dice.sample(groups, len(groups)):
            for entry in dice.sample(group.entries, len(group.entries)):
                yield group, entry


class Play:
    """One run of the benchmark."""

    def __init__(self, machine: Machine, programs: Path, clients: Clients, pace: Pace) -> None:
        self._machine = machine
        self._programs = programs
        self._clients = clients
        self._pace = pace
        self._again = 0  # how many measurements may still be made again

    def run(
        self,
        groups: Sequence[Group],
        seed: int,
        absent: dict[tuple[str, str], str],
        told: Callable[[Group, Entry], None],
    ) -> Results:
        """Measure all; `told` hears of each entry before it is measured.

        Who fails once is not measured again, and is absent from the results.
        """
        results = Results(absent=dict(absent))
        entries = sum(len(group.entries) for group in groups)
        self._again = round(AGAIN * entries * self._pace.rounds)
        for group, entry in schedule(groups, self._pace.rounds, seed):
            told(group, entry)
            key = group.name, entry.name
            if key in results.absent:
                continue
            try:
                measurement = self._undisturbed(entry)
            except Failure as failure:
                results.absent[key] = str(failure)
                results.rounds.pop(key, None)
            else:
                results.rounds.setdefault(key, []).append(measurement)
        return results

    def _undisturbed(self, entry: Entry) -> Measurement:
        """Measure again where others had too much of the machine; the less disturbed counts."""
        measurement = self._measure(entry)
        if measurement.others > DISTURBED and self._again:
            self._again -= 1
            measurement = min(measurement, self._measure(entry), key=lambda m: m.others)
        return measurement

    def _measure(self, entry: Entry) -> Measurement:
        contestant = CONTESTANTS[entry.contestant]
        if entry.by == "crowd":
            sample, others = gather(contestant, self._programs, entry.shape.active)
            return Measurement(sample, None, others)
        client = self._clients.agent if entry.by == "agent" else self._clients.usual
        with serving(contestant, self._programs, self._machine.server_core) as server:
            before = server.memory()
            with client(server, entry.shape) as load:
                load.connect()
                connections = entry.shape.active + entry.shape.idle
                memory = (server.memory() - before) / connections
                began, busy, ours = time.monotonic(), busy_s(), server.cpu_s() + cpu_s(load.pid)
                sample = load.measure(self._pace.warm_s, self._pace.for_s)
                took, busy = time.monotonic() - began, busy_s() - busy
                ours = server.cpu_s() + cpu_s(load.pid) - ours
        return Measurement(sample, memory, max(0.0, busy - ours) / took)
