"""The words of a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from iolab.harness.record.kinds import Figure

Side = Literal["reply", "cleanup"]
SIDES: tuple[Side, ...] = ("reply", "cleanup")


class Level(StrEnum):
    """How a verdict ends; later members outweigh earlier ones when findings are put together."""

    OK = "OK"
    INFORMATIONAL = "INFORMATIONAL"
    NON_STRICT = "NON-STRICT"
    UNSUPPORTED = "UNSUPPORTED"
    UNKNOWN = "UNKNOWN"
    FAILED = "FAILED"

    @property
    def weight(self) -> int:
        return list(Level).index(self)


IN_THE_BACKGROUND = "in the background"

# What is a matter of the subject and meets every scenario alike: a report tells it once.
OF_THE_SUBJECT = frozenset({IN_THE_BACKGROUND, "does not start", "not listening"})


@dataclass(frozen=True)
class Finding:
    """One thing found, with its evidence.

    `cause` is a short key by which a run's summary groups findings. `timed`: it rests on a time
    that was measured, so that a slow harness puts it in doubt; wrong bytes are wrong at any speed.
    `conditional`: it rests on a circumstance or fault of the scenario, so that a missing proof
    puts it in doubt; a healthy client must be served whatever the scenario does to others.
    """

    side: Side
    level: Level
    cause: str
    summary: str
    evidence: tuple[str, ...] = ()
    timed: bool = True
    conditional: bool = True


@dataclass(frozen=True)
class Verdict:
    """One of the two verdicts of a scenario."""

    level: Level
    findings: tuple[Finding, ...] = ()

    @staticmethod
    def of(findings: Sequence[Finding]) -> Verdict:
        """The heaviest finding decides; without any, all is as expected."""
        level = max((f.level for f in findings), key=lambda one: one.weight, default=Level.OK)
        ordered = sorted(findings, key=lambda f: -f.level.weight)
        return Verdict(level, tuple(ordered))


@dataclass(frozen=True)
class Judgement:
    """Both verdicts of one playing."""

    label: str
    reply: Verdict
    cleanup: Verdict
    doubts: tuple[str, ...] = ()
    figures: tuple[Figure, ...] = ()

    def side(self, side: Side) -> Verdict:
        return self.reply if side == "reply" else self.cleanup

    @property
    def level(self) -> Level:
        """The heavier of the two."""
        return max(self.reply.level, self.cleanup.level, key=lambda level: level.weight)

    @property
    def findings(self) -> tuple[Finding, ...]:
        return self.reply.findings + self.cleanup.findings
