"""A measurement that others disturbed is made again, as often as is allowed."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from bench.errors import Failure
from bench.machine import Machine
from bench.plan import GROUPS
from bench.rounds import AGAIN, Clients, Measurement, Pace, Play, Results
from tests.bench.results import measurement

GROUP = GROUPS["lines-10"]
MACHINE = Machine("A CPU", 2, "Linux 0.0", "Python 0.0", 0, 1, ("", ""))


class Scripted(Play):
    """Gives one measurement after the other, and no server is started."""

    def __init__(self, *given: Measurement | Failure, rounds: int) -> None:
        nobody: Any = None
        super().__init__(MACHINE, Path(), Clients(nobody, nobody), Pace(rounds, 0, 0))
        self._given = iter(given)

    def _measure(self, entry: object) -> Measurement:
        given = next(self._given)
        if isinstance(given, Failure):
            raise given
        return given


def seen(rate: float, others: float) -> Measurement:
    return dataclasses.replace(measurement(rate), others=others)


def play(*given: Measurement | Failure, rounds: int) -> Results:
    group = dataclasses.replace(GROUP, entries=GROUP.entries[:1])
    return Scripted(*given, rounds=rounds).run([group], 0, {}, lambda *_: None)


def rates(results: Results) -> list[float]:
    return [m.sample.rate for m in results.rounds.get(("lines-10", "epoll"), [])]


def test_the_less_disturbed_of_two_counts() -> None:
    calm = [seen(1, 0.0)] * 3
    assert rates(play(seen(7, 0.5), seen(5, 0.1), *calm, rounds=4)) == [5, 1, 1, 1]
    assert rates(play(seen(7, 0.5), seen(9, 0.6), *calm, rounds=4)) == [7, 1, 1, 1]


def test_a_machine_that_is_never_calm_is_not_waited_for() -> None:
    rounds = 10
    given = [seen(place, 0.9) for place in range(rounds + round(AGAIN * rounds))]
    results = play(*given, rounds=rounds)
    assert len(rates(results)) == rounds


def test_who_fails_once_is_absent() -> None:
    results = play(seen(1, 0), Failure("it broke"), rounds=5)
    assert rates(results) == []
    assert results.absent == {("lines-10", "epoll"): "it broke"}


@pytest.mark.parametrize("others", [0.0, 0.2])
def test_what_was_not_disturbed_is_measured_once(others: float) -> None:
    assert rates(play(*[seen(1, others)] * 5, rounds=5)) == [1] * 5
