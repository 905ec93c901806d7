"""Labs that are broken on purpose, and how it ends when a scenario is played in one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from iolab.harness.judge import Judgement, Level, judge
from iolab.harness.lab.bystanders import NODE
from iolab.harness.lab.lab import Lab
from iolab.harness.lab.steps import Step
from iolab.harness.places import ROOT
from iolab.harness.record.lines import load as load_records
from iolab.harness.record.probe import Late
from iolab.harness.report.outcome import Outcome
from iolab.harness.run import stage as stage_module
from iolab.harness.run.stage import Stage
from iolab.harness.scenarios.catalogue import load_catalogue
from iolab.harness.scenarios.playing import Playing
from iolab.harness.scenarios.scenario import CATALOGUE, NO_CASE, Cite, Scenario
from iolab.harness.subject.manifest import Subject, load

Body = Callable[[Lab], None]

# It keeps every promise there is, so that no scenario is spared.
CONTROL: Subject = load(ROOT / "gallery" / "controls" / "asyncio_protocol.toml")

# A proof that cannot come about is waited for no longer than this.
HOPELESS_S = 0.3


def of_the_catalogue(id: str) -> Scenario:
    """One round of it says enough."""
    load_catalogue()
    return replace(CATALOGUE[id], rounds=1)


def made_of(body: Body, id: str = "test.made", **fields: Any) -> Scenario:
    """A scenario of a test's own."""
    about = "made by a test"
    return Scenario(id, about, about, about, (Cite(about, about),), body, **fields)


def play(
    stage: Stage,
    scenario: Scenario,
    subject: Subject = CONTROL,
    case: str | None = None,
    quiet: bool = False,
) -> Outcome:
    """Play it, in its first case unless another one is named; a skip where it cannot be played."""
    for need in scenario.needs:
        if need in stage.backend.missing():
            pytest.skip(f"{scenario.id}: {stage.backend.missing()[need]}")
    case = next(iter(scenario.cases), NO_CASE) if case is None else case
    return stage.play(Playing(scenario, subject, 4, case, quiet))


def once(monkeypatch: pytest.MonkeyPatch) -> None:
    """An attempt that ends UNKNOWN is enough to see it."""
    monkeypatch.setattr(stage_module, "ATTEMPTS", 1)


def doubt_of(outcome: Outcome) -> str:
    """Why it is UNKNOWN, on both sides; any other level is an error."""
    levels = (outcome.judgement.reply.level, outcome.judgement.cleanup.level)
    assert levels == (Level.UNKNOWN, Level.UNKNOWN), outcome.judgement
    return "\n".join(outcome.judgement.doubts)


def judged_in_time(file: Path, late: str | None = None) -> Judgement:
    """The playing as it is judged where no loop of the harness was late, but for that one's."""
    return judge(
        [
            record
            for record in load_records(file)
            if not isinstance(record, Late) or record.source == late
        ]
    )


def instead(
    monkeypatch: pytest.MonkeyPatch, change: Callable[[list[Step]], list[Step]], **fields: Any
) -> None:
    """Let the groups of a scenario, but for bystanders, play other steps, or with other fields."""
    real = Lab.play

    def changed(lab: Lab, name: str, *steps: Step, **given: Any) -> Any:
        if given.get("client") == NODE:
            return real(lab, name, *steps, **given)
        return real(lab, name, *change(list(steps)), **{**given, **fields})

    monkeypatch.setattr(Lab, "play", changed)


def hopeless(monkeypatch: pytest.MonkeyPatch, claim: str) -> None:
    """Nobody waits long for the proof that cannot come about."""
    real = Lab.prove_by

    def prove_by(lab: Lab, what: str, condition: Any, within_s: float = 5.0) -> None:
        real(lab, what, condition, HOPELESS_S if what.startswith(claim) else within_s)

    monkeypatch.setattr(Lab, "prove_by", prove_by)


def script(folder: Path, code: str, **fields: Any) -> Subject:
    """A subject that runs the code, which finds its address in `HOST` and `PORT`."""
    head = "import sys, socket\nHOST, PORT = sys.argv[1], int(sys.argv[2])\n"
    (folder / "subject.py").write_text(head + code)
    command = ("python3", "subject.py", "{host}", "{port}")
    return Subject("script", None, 9000, command=command, files=folder, **fields)
