"""One run of the benchmark: what was measured, where, when and how."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata

from bench.contestants import CONTESTANTS
from bench.machine import Machine
from bench.plan import Group
from bench.rounds import Pace, Results


@dataclass(frozen=True)
class Run:
    """Everything that the reports are made of.

    `versions` are those of the packages, by name; `no_c` says why there are no programs in C, if
    there are none: then our agent makes the load.
    """

    date: str
    machine: Machine
    versions: Mapping[str, str]
    no_c: str | None
    seed: int
    pace: Pace
    groups: Sequence[Group]
    results: Results

    @property
    def disturbance(self) -> float:
        """The most cores that others kept busy during a measurement that counts."""
        every = (m for measured in self.results.rounds.values() for m in measured)
        return max((m.others or 0.0 for m in every), default=0.0)


def versions() -> dict[str, str]:
    """The packages that contestants need and are installed, with their versions."""
    found = {}
    for package in sorted({c.needs for c in CONTESTANTS.values() if c.needs} | {"liburing"}):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
