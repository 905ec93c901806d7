"""Growth between equal rounds: a leak grows with the connections, a pool stops growing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from iolab.harness.judge import Level
from iolab.harness.judge.verdict import Verdict
from iolab.harness.record.kinds import Turnover
from iolab.harness.record.probe import Process
from tests.judge.playing import LISTENER, Observed, process, thread

CONNECTIONS = 20
Processes = list[Process]


def threads(number: int) -> Processes:
    return [process(14, *(thread(tid=14 + k) for k in range(1 + number)))]


def descriptors(number: int) -> Processes:
    files = {str(20 + k): f"pipe:[{k}]" for k in range(number)}
    return [process(fds={"3": f"socket:[{LISTENER}]", **files})]


def children(number: int) -> Processes:
    return [process(), *(process(20 + k, rss=0) for k in range(number))]


def zombies(number: int) -> Processes:
    dead = (process(20 + k, state="Z", fds={}, rss=0) for k in range(number))
    return [process(), *dead]


def memory(mib: int) -> Processes:
    return [process(rss=(10 + mib) << 20)]


def rounds(make: Callable[[int], Processes], *numbers: int, turnover: int = 0) -> Verdict:
    """The verdict on rounds after which so many were there."""
    seen = Observed()
    for number, there in enumerate(numbers, start=1):
        if turnover:
            seen.round(number, Turnover(connections=turnover))
        seen.snapshot(f"round {number}", processes=make(there))
        seen.settled(number=number, connections=CONNECTIONS)
    seen.end()
    return seen.judged().cleanup


COUNTED: list[Any] = [
    pytest.param(threads, "threads", id="threads"),
    pytest.param(children, "children", id="children"),
    pytest.param(zombies, "zombies", id="zombies"),
    pytest.param(descriptors, "descriptors", id="descriptors"),
]
counted = pytest.mark.parametrize(("make", "name"), COUNTED)


@counted
def test_what_grows_with_every_round_is_left_behind(
    make: Callable[[int], Processes], name: str
) -> None:
    verdict = rounds(make, 20, 40, 60)
    causes = {finding.cause for finding in verdict.findings}
    assert verdict.level is Level.FAILED
    assert f"{name} left behind" in causes
    told = next(f.summary for f in verdict.findings if f.cause.startswith(name))
    assert told.startswith(f"{name} grow with every round of 20 connections: ")


@counted
def test_a_pool_that_stops_growing_is_not_blamed(
    make: Callable[[int], Processes], name: str
) -> None:
    assert rounds(make, 20, 40, 40).level is Level.OK
    assert rounds(make, 0, 40, 41).level is Level.OK


@counted
def test_what_grows_in_the_last_round_alone_is_chance(
    make: Callable[[int], Processes], name: str
) -> None:
    assert rounds(make, 20, 20, 40).level is Level.OK


@counted
def test_two_rounds_say_nothing(make: Callable[[int], Processes], name: str) -> None:
    assert rounds(make, 20, 60).level is Level.OK


def test_half_of_the_connections_is_the_bound() -> None:
    assert rounds(threads, 10, 20, 30).level is Level.FAILED
    assert rounds(threads, 10, 20, 29).level is Level.OK


def test_connections_that_came_and_went_are_counted_where_a_script_makes_many() -> None:
    assert rounds(threads, 10, 20, 30, turnover=700).level is Level.OK
    assert rounds(threads, 350, 700, 1_050, turnover=700).level is Level.FAILED


def test_memory_beyond_the_noise_of_the_allocator() -> None:
    verdict = rounds(memory, 0, 5, 10)
    [finding] = verdict.findings
    assert finding.cause == "memory left behind"
    assert finding.summary.endswith("10 MiB, 15 MiB, 20 MiB")
    assert rounds(memory, 0, 1, 2).level is Level.OK
    assert rounds(memory, 0, 5, 5).level is Level.OK
    assert rounds(memory, 5, 5, 10).level is Level.OK


def test_growth_is_a_count_and_no_matter_of_time() -> None:
    seen = Observed()
    for number in (1, 2, 3):
        seen.snapshot(f"round {number}", processes=threads(20 * number))
        seen.settled(number=number, connections=CONNECTIONS)
    seen.late(2.0)
    seen.end()
    assert seen.judged().cleanup.level is Level.FAILED
