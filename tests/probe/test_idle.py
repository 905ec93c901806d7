"""What counts as wanting a CPU, with looks made up here: no machine is starved on demand."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from iolab.harness.beside.probe import processes
from iolab.harness.beside.probe.conditions import parse
from iolab.harness.beside.probe.conditions.base import Seen

Look = Callable[[float, str, float], Seen]
"""At a time, in a state, with so much on the kernel's account."""


@pytest.fixture
def look(monkeypatch: pytest.MonkeyPatch) -> Look:
    condition = parse({"idle": {"for_s": 0.1, "cpu_share_at_most": 0.2}})
    summed = {"s": 0.0}
    monkeypatch.setattr(processes, "cpu_s", lambda pid: summed["s"])
    monkeypatch.setattr(processes, "queued_s", lambda pid: 0.0)

    def look(t: float, state: str, account_s: float) -> Seen:
        summed["s"] = account_s
        view: Any = SimpleNamespace(t=t, living=[SimpleNamespace(pid=7, state=state)])
        return condition.look(view)

    return look


def test_a_sleeper_is_idle(look: Look) -> None:
    assert not look(10.0, "S", 1.0).holds, "nothing is known yet"
    assert look(10.11, "S", 1.0).holds


def test_who_runs_is_not(look: Look) -> None:
    look(10.0, "R", 1.0)
    assert not look(10.11, "R", 1.09).holds


def test_who_is_kept_from_the_cpu_all_the_time_is_not(look: Look) -> None:
    look(10.0, "R", 1.0)
    seen = look(10.11, "R", 1.0)
    assert not seen.holds
    assert seen.words.startswith("1.0000 of a CPU wanted")


def test_a_wait_is_counted_once(look: Look) -> None:
    look(10.0, "R", 1.0)
    look(10.11, "R", 1.0)
    # The kernel has added it by now, and from then on it slept.
    look(10.15, "S", 1.1)
    assert look(10.26, "S", 1.1).holds


def test_a_moment_on_the_queue_is_no_restlessness(look: Look) -> None:
    look(10.0, "S", 1.0)
    look(10.09, "S", 1.001)
    assert look(10.11, "R", 1.001).holds
