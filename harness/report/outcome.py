"""How a playing ended: all attempts at it, and what is said of the last one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from iolab.harness.judge import SIDES, Finding, Judgement, Level, Side
from iolab.harness.report import results
from iolab.harness.report.results import BY_NATURE, Result, Said
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

    @property
    def passed(self) -> bool:
        """Whether nothing is FAILED or UNKNOWN but what the manifest states, and that came.

        What the manifest states is a failure, so UNKNOWN is none of it.
        """
        stated = self.playing.by_nature
        excused = None if stated is None else stated[0]
        if excused and self.judgement.side(excused).level is not Level.FAILED:
            excused = None
        return not any(
            finding.level in (Level.FAILED, Level.UNKNOWN) and finding.side != excused
            for finding in self.findings
        )

    def result(self) -> Result:
        """Everything a report says of it."""
        return Result(
            **_head(self.playing),
            reply=self._said("reply"),
            cleanup=self._said("cleanup"),
            passed=self.passed,
            seconds=round(self.took_s, 2),
            attempts=tuple(attempt.level for attempt in self.attempts),
            findings=tuple(map(_finding, self.findings)),
            figures=tuple(
                results.Figure(name=one.name, value=one.value, unit=one.unit)
                for one in self.judgement.figures
            ),
            doubts=tuple(attempt.doubts for attempt in self.attempts),
            observations=tuple(map(str, self.files)),
        )

    def in_words(self) -> str:
        """Why it failed, with the evidence."""
        lines = [f"{self.playing.label} against {self.playing.subject.name}"]
        if len(self.attempts) > 1:
            lines[0] += f" (attempt {len(self.attempts)})"
        for finding in self.findings:
            lines.append(f"{finding.side}: {finding.level} ({finding.cause}): {finding.summary}")
            lines += [f"    {line}" for line in finding.evidence]
        lines.append(f"observations: {self.files[-1]}")
        return "\n".join(lines)

    def _said(self, side: Side) -> Said:
        level = self.judgement.side(side).level
        stated = self.playing.by_nature
        if stated is not None and stated[0] == side and level is Level.FAILED:
            return BY_NATURE
        return level.value


def unsupported(playing: Playing, reason: str) -> Result:
    """A scenario that is not demanded of this subject, or cannot be played here."""
    level: Said = Level.UNSUPPORTED.value
    return Result(**_head(playing), reply=level, cleanup=level, passed=True, reason=reason)


def broken_off(playing: Playing, error: Exception) -> Result:
    """A playing that the harness itself could not bring to its end."""
    why = f"the harness broke off: {error!r}"
    found = [Finding(side, Level.UNKNOWN, "broken off", why) for side in SIDES]
    level: Said = Level.UNKNOWN.value
    return Result(
        **_head(playing),
        reply=level,
        cleanup=level,
        passed=False,
        findings=tuple(map(_finding, found)),
    )


def _head(playing: Playing) -> dict[str, Any]:
    return {
        "scenario": playing.label,
        "title": playing.scenario.title,
        "subject": playing.subject.name,
        "ip": playing.family,
    }


def _finding(finding: Finding) -> results.Finding:
    return results.Finding(
        side=finding.side,
        level=finding.level,
        cause=finding.cause,
        summary=finding.summary,
        evidence=finding.evidence,
    )
