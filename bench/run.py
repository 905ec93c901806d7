"""One run of the benchmark: what was measured, where, when and how."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata

from bench.contestants import CONTESTANTS
from bench.machine import Machine
from bench.plan import Group
from bench.rounds import DISTURBED, Pace, Results


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
    def disturbance(self) -> str | None:
        """What a reader has to know if others used the machine meanwhile, in a sentence."""
        every = [m for measured in self.results.rounds.values() for m in measured]
        disturbed = sum(m.others > DISTURBED for m in every)
        if not disturbed:
            return None
        return (
            f"Others took more than {DISTURBED:g} of a core during {disturbed} of {len(every)} "
            "measurements: rates are lower than this machine allows, and ratios of them are rough."
        )


def versions() -> dict[str, str]:
    """The packages that contestants need and are installed, with their versions."""
    found = {}
    for package in sorted({c.needs for c in CONTESTANTS.values() if c.needs} | {"liburing"}):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
