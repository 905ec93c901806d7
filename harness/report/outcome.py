"""How a playing ended: all attempts at it, and what is said of the last one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from iolab.harness.judge import Finding, Judgement, Level
from iolab.harness.scenarios.playing import Playing


@dataclass(frozen=True)
class Outcome:
    """All attempts at a playing; the last one counts."""

    playing: Playing
    attempts: tuple[Judgement, ...]
    files: tuple[Path, ...]
    took_s: float

    @property
    def judgement(self) -> Judgement:
        return self.attempts[-1]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was found in the last attempt; also that a failure by nature did not come."""
        found = self.judgement.findings
        if self.playing.by_nature is None:
            return found
        side, reason = self.playing.by_nature
        if self.judgement.side(side).level in (Level.FAILED, Level.UNKNOWN):
            return found
        told = f"it passed, yet the manifest says that it fails by nature: {reason}"
        return (*found, Finding(side, Level.FAILED, "passed", told))
