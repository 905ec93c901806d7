"""Outcomes of playings that never were, and what a run of them reports."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import pytest

from iolab.harness.judge import Finding, Judgement, Level, Verdict
from iolab.harness.record.kinds import Figure
from iolab.harness.report.outcome import Outcome
from iolab.harness.report.results import Machine, Properties, Result, RunOptions
from iolab.harness.report.results import Run as About
from iolab.harness.report.terminal import Summary
from iolab.harness.scenarios.playing import Playing
from iolab.harness.subject.manifest import Promises, Subject
from tests.harness.broken import made_of

When = Literal["setup", "call", "teardown"]

ABOUT = About(
    date="2026-01-31T23:59:59Z",
    backend="namespaces",
    machine=Machine(kernel="Linux 6.18", architecture="x86_64", cores=2, python="3.11.2"),
    versions={"iolab": "0.1.0"},
    options=RunOptions(subjects=("mine",), ip=(4,), scale=1, keywords="idle"),
)

MINE = Subject("mine", None, 9000, promises=Promises())

LEAK = Finding(
    "cleanup",
    Level.FAILED,
    "CLOSE-WAIT",
    "1 of 1 dead connections were not removed within 1.0 s (at once)",
    ("closer#0 [fd00:ab::4]:50000: CLOSE-WAIT in the server's kernel", "its log: [red]no[/red]"),
)
DOUBT = Finding("reply", Level.UNKNOWN, "no reply", "harness too slow: it was late")


def playing(id: str = "disconnect.fin-idle", family: int = 4, subject: Subject = MINE) -> Playing:
    scenario = made_of(lambda lab: None, id)
    return Playing(scenario, subject, 6 if family == 6 else 4, "", False)


def attempt(*findings: Finding, doubts: tuple[str, ...] = ()) -> Judgement:
    """A judgement that found these."""
    sides = {
        side: Verdict.of([finding for finding in findings if finding.side == side])
        for side in ("reply", "cleanup")
    }
    figure = Figure(name="wake-ups", value=3.5, unit="a second", t=1.0)
    return Judgement("label", **sides, doubts=doubts, figures=(figure,))


def outcome(*attempts: Judgement, of: Playing | None = None) -> Outcome:
    files = tuple(Path(f"/runs/1/it.{number}.ndjson") for number in range(len(attempts)))
    return Outcome(of or playing(), attempts, files, 1.2345)


class Run:
    """A run in which each playing is reported by pytest, and what is told at its end."""

    def __init__(self, results: Path | None = None, observations: str | None = None) -> None:
        self.summary = Summary(results, ABOUT, lambda: observations)

    def reported(
        self, told: Result | Properties, when: When = "call", failure: str | None = None
    ) -> pytest.TestReport:
        report = pytest.TestReport(
            "node",
            ("file", 1, "test"),
            {},
            "failed" if failure else "passed",
            failure,
            when,
            user_properties=told if isinstance(told, list) else told.properties(),
        )
        self.summary.pytest_runtest_logreport(report)
        return report

    def played(self, outcome: Outcome) -> pytest.TestReport:
        failure = None if outcome.passed else outcome.in_words()
        return self.reported(outcome.result(), failure=failure)

    def told(self, markup: bool = False) -> str:
        """What the terminal shows at the end."""
        file = io.StringIO()
        writer = SimpleNamespace(_file=file, fullwidth=100)
        reporter: Any = SimpleNamespace(_tw=writer, hasmarkup=markup)
        self.summary.pytest_terminal_summary(reporter, exitstatus=1)
        return file.getvalue()
