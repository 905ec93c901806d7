"""The lateness watch, on a clock that the test moves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from iolab.harness.beside.loop import Loop, Timer
from iolab.harness.beside.probe import lateness
from iolab.harness.beside.probe.lateness import BEAT_S, TELL_S, Lateness


class SlowLoop(Loop):
    """Runs its one timer when it is told to."""

    def __init__(self) -> None:
        self.beat: Callable[[], None] = lambda: None

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> Timer:
        self.beat = callback
        return Timer(delay_s, callback)


class Clock:
    """Stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock that the watch reads."""
    clock = Clock()
    monkeypatch.setattr(lateness, "time", clock)
    return clock


def test_in_time(clock: Clock) -> None:
    told: list[dict[str, Any]] = []
    loop = SlowLoop()
    watch = Lateness(loop, told.append)
    clock.now += BEAT_S
    loop.beat()
    assert watch.take() == 0.0
    assert told == []


def test_a_little_late_is_in_the_next_answer(clock: Clock) -> None:
    told: list[dict[str, Any]] = []
    loop = SlowLoop()
    watch = Lateness(loop, told.append)
    clock.now += BEAT_S + TELL_S / 2
    loop.beat()
    clock.now += BEAT_S
    loop.beat()
    assert watch.take() == pytest.approx(TELL_S / 2)
    assert watch.take() == 0.0
    assert told == []


def test_very_late_is_told_at_once(clock: Clock) -> None:
    told: list[dict[str, Any]] = []
    loop = SlowLoop()
    watch = Lateness(loop, told.append)
    clock.now += BEAT_S + 0.25
    loop.beat()
    assert told == [{"event": "late", "late_s": pytest.approx(0.25)}]
    assert watch.take() == pytest.approx(0.25)


def test_a_beat_that_is_overdue_counts_already(clock: Clock) -> None:
    watch = Lateness(SlowLoop(), lambda event: None)
    clock.now += BEAT_S + 0.25
    assert watch.take() == pytest.approx(0.25)
