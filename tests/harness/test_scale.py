"""`--scale`: what a scenario repeats is repeated so many times as often, and all else stays."""

from __future__ import annotations

from typing import Any

import pytest

from iolab.harness.judge import Level
from iolab.harness.lab.bystanders import NODE
from iolab.harness.lab.lab import Lab
from iolab.harness.lab.steps import Step
from iolab.harness.run.options import SCALES
from iolab.harness.run.stage import Stage
from iolab.harness.scenarios.playing import Playing
from tests.harness.broken import CONTROL, of_the_catalogue

# How many messages or connections of each client there are in one round, at `quick`.
AMOUNTS = {
    "connect.churn": 10,
    "connect.concurrent": 5,
    "reply.interleaved": 5,
    "resource.messages": 30_000,
}


def amount(steps: tuple[Step, ...]) -> int:
    """How often the steps repeat something, all in all."""
    return sum(step.get("times", 0) for step in steps)


@pytest.mark.parametrize("factor", [SCALES["quick"], 2])
@pytest.mark.parametrize("id", AMOUNTS)
def test_repetitions_follow_the_scale(
    id: str, factor: int, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    played: list[int] = []
    real = Lab.play

    def spied(lab: Lab, name: str, *steps: Step, **fields: Any) -> Any:
        if fields.get("client") != NODE:
            played.append(amount(steps))
        return real(lab, name, *steps, **fields)

    monkeypatch.setattr(Lab, "play", spied)
    entry = of_the_catalogue(id)
    case = next(iter(entry.cases))
    outcome = stage.play(Playing(entry, CONTROL, 4, case, False, factor))
    assert outcome.judgement.reply.level in (Level.OK, Level.UNKNOWN), outcome.judgement
    assert set(played) == {AMOUNTS[id] * factor}
