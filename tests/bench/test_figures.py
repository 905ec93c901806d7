"""Ratios are made within a round, and medians over the rounds."""

from __future__ import annotations

import dataclasses
from itertools import pairwise

import pytest

from bench.bars import BARS, Bar, cost, rate
from bench.plan import GROUPS
from bench.report.figures import bar_rows, group_rows
from bench.rounds import Results, schedule
from tests.bench.results import measurement

RATIO = Bar("a ÷ b", "lines-100", "epoll", "uvloop-protocol", rate, 1.0)


def results(**rates: list[float]) -> Results:
    found = Results()
    for name, values in rates.items():
        found.rounds["lines-100", name.replace("_", "-")] = [measurement(value) for value in values]
    return found


def test_each_ratio_is_of_one_round() -> None:
    # The machine slows down from round to round, and the ratio stays: 2 in each.
    found = results(epoll=[200, 100, 50], uvloop_protocol=[100, 50, 25])
    assert RATIO.figures(found) == [2, 2, 2]


@pytest.mark.parametrize(
    ("rates", "outcome"), [([20, 100, 500], "holds"), ([99, 98, 500], "short")]
)
def test_a_bar_is_about_the_median(rates: list[float], outcome: str) -> None:
    assert RATIO.outcome(results(epoll=rates, uvloop_protocol=[100] * 3)) == outcome


@pytest.mark.parametrize(("cost_us", "outcome"), [(3.0, "holds"), (3.1, "short")])
def test_at_most_is_the_other_way_round(cost_us: float, outcome: str) -> None:
    bar = dataclasses.replace(RATIO, quantity=cost, limit=0.6, at_most=True)
    found = results(epoll=[], uvloop_protocol=[100])
    found.rounds["lines-100", "epoll"] = [measurement(100, cost_us)]
    assert bar.outcome(found) == outcome


@pytest.mark.parametrize("side", ["epoll", "uvloop-protocol"])
def test_rates_of_a_busy_machine_prove_nothing_and_its_cpu_does(side: str) -> None:
    found = results(epoll=[100] * 3, uvloop_protocol=[100] * 3)
    measured = found.rounds["lines-100", side]
    measured[0] = dataclasses.replace(measured[0], others=0.3)
    assert RATIO.outcome(found) == "holds"
    measured[1] = dataclasses.replace(measured[1], others=0.3)
    assert RATIO.outcome(found) == "disturbed"
    assert dataclasses.replace(RATIO, quantity=cost).outcome(found) == "holds"


def test_by_cpu_the_cheaper_server_is_the_better_one() -> None:
    found = Results()
    found.rounds["lines-100", "epoll"] = [measurement(100, cost_us=4)]
    found.rounds["lines-100", "uvloop-protocol"] = [measurement(100, cost_us=6)]
    assert RATIO.figures(found) == [1]
    assert RATIO.by_cpu(found) == pytest.approx([1.5])


@pytest.mark.parametrize("missing", ["epoll", "uvloop-protocol"])
def test_a_ratio_needs_both_and_says_who_is_missing(missing: str) -> None:
    found = results(epoll=[1], uvloop_protocol=[1])
    del found.rounds["lines-100", missing]
    found.absent["lines-100", missing] = "not installed"
    assert RATIO.figures(found) == []
    [row] = bar_rows(found, [RATIO])
    assert row.absent == "not installed"


@pytest.mark.parametrize("bar", BARS, ids=lambda bar: bar.title)
def test_every_bar_is_about_entries_that_are_measured(bar: Bar) -> None:
    entries = {entry.name for entry in GROUPS[bar.group].entries}
    assert {bar.entry, bar.over or bar.entry} <= entries


def test_rows_are_ordered_by_rate_and_tell_the_spread() -> None:
    found = results(epoll=[100, 300, 200], uvloop_protocol=[500, 500, 500])
    first, second, *absent = group_rows(GROUPS["lines-100"], found)
    assert (first.title, first.cells[:2]) == ("uvloop Protocol", ("500", "500 … 500"))
    assert (second.title, second.cells[:2]) == ("our epoll", ("200", "100 … 300"))
    assert all(row.absent for row in absent)


def test_a_round_has_everything_once_and_groups_stay_together() -> None:
    groups = [GROUPS["lines-10"], GROUPS["batch-16"]]
    count = sum(len(group.entries) for group in groups)
    order = list(schedule(groups, 2, seed=1))
    assert len(order) == 2 * count
    for start in (0, count):
        played = order[start : start + count]
        names = [group.name for group, _ in played]
        assert sum(a != b for a, b in pairwise(names)) == 1
        assert {(g.name, e.name) for g, e in played} == {
            (g.name, e.name) for g in groups for e in g.entries
        }


def test_the_order_is_random_and_the_seed_tells_it() -> None:
    groups = [GROUPS["lines-100"]]
    assert list(schedule(groups, 3, seed=5)) == list(schedule(groups, 3, seed=5))
    assert list(schedule(groups, 3, seed=5)) != list(schedule(groups, 3, seed=6))
