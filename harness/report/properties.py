"""An outcome as properties of its test: plain texts, from which table, JUnit and JSON are made.

They travel with pytest's own report, so they reach the main process from every worker.
"""

from __future__ import annotations

import json
from typing import Any

from iolab.harness.judge import SIDES, Finding, Level
from iolab.harness.report.outcome import Outcome
from iolab.harness.scenarios.playing import Playing

Properties = list[tuple[str, object]]


def of(outcome: Outcome) -> Properties:
    """Everything a report says of a playing."""
    playing, judgement = outcome.playing, outcome.judgement
    by_nature = playing.by_nature
    levels: dict[str, str] = {side: str(judgement.side(side).level) for side in SIDES}
    if by_nature is not None and levels[by_nature[0]] == Level.FAILED:
        levels[by_nature[0]] = "FAILED (by nature)"
    return [
        *_head(playing),
        *levels.items(),
        ("seconds", f"{outcome.took_s:.2f}"),
        ("attempts", json.dumps([str(attempt.level) for attempt in outcome.attempts])),
        ("findings", json.dumps([_finding(f) for f in outcome.findings])),
        ("figures", json.dumps([_figure(figure) for figure in judgement.figures])),
        ("doubts", json.dumps([list(attempt.doubts) for attempt in outcome.attempts])),
        ("observations", json.dumps([str(path) for path in outcome.files])),
    ]


def unsupported(playing: Playing, reason: str) -> Properties:
    """A scenario that is not demanded of this subject, or cannot be played here."""
    levels = dict.fromkeys(SIDES, str(Level.UNSUPPORTED))
    return [*_head(playing), *levels.items(), ("reason", reason)]


def broken_off(playing: Playing, error: Exception) -> Properties:
    """A playing that the harness itself could not bring to its end."""
    why = f"the harness broke off: {error!r}"
    findings = [Finding(side, Level.UNKNOWN, "broken off", why) for side in SIDES]
    return [
        *_head(playing),
        *((side, str(Level.UNKNOWN)) for side in SIDES),
        ("findings", json.dumps([_finding(finding) for finding in findings])),
    ]


def in_words(outcome: Outcome) -> str:
    """Why a playing failed, with its evidence."""
    lines = [f"{outcome.playing.label} against {outcome.playing.subject.name}"]
    if len(outcome.attempts) > 1:
        lines[0] += f" (attempt {len(outcome.attempts)})"
    for finding in outcome.findings:
        lines.append(f"{finding.side}: {finding.level} ({finding.cause}): {finding.summary}")
        lines += [f"    {line}" for line in finding.evidence]
    lines.append(f"observations: {outcome.files[-1]}")
    return "\n".join(lines)


def _head(playing: Playing) -> Properties:
    return [
        ("scenario", playing.label),
        ("title", playing.scenario.title),
        ("subject", playing.subject.name),
        ("ip", str(playing.family)),
    ]


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "side": finding.side,
        "level": str(finding.level),
        "cause": finding.cause,
        "summary": finding.summary,
        "evidence": list(finding.evidence),
    }


def _figure(record: dict[str, Any]) -> dict[str, Any]:
    return {name: record[name] for name in ("name", "value", "unit")}
