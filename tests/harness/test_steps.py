"""Steps: none asks for a longer message than was promised; and how long one message is."""

from __future__ import annotations

import pytest

from iolab.harness.lab.steps import (
    Step,
    ask,
    connect,
    expect,
    fitting,
    flood,
    repeat,
    send,
    unit,
)


@pytest.mark.parametrize(
    ("given", "fits"),
    [
        (ask(size=100), ask(size=100)),
        (ask(size=101), ask(size=100, times=2)),
        (send(size=250, times=2), send(size=100, times=6)),
        (flood(5_000, 1_000), flood(5_000, 100)),
        (send(size=101, unanswered=True), send(size=101, unanswered=True)),
        (ask("of any length"), ask("of any length")),
        (repeat([ask(size=101)], times=3), repeat([ask(size=100, times=2)], times=3)),
    ],
)
def test_what_is_longer_is_said_in_several_messages(given: Step, fits: Step) -> None:
    assert fitting([given], 100) == [fits]


@pytest.mark.parametrize(
    ("steps", "bytes_"),
    [
        ([connect(), send(size=99, times=3), expect()], 100),
        ([connect(), send(size=99), send(size=500, unanswered=True)], 100),
        ([connect(), repeat([ask(size=9)], times=2)], 10),
        ([connect(), send(size=99), ask(size=9)], 1),
        ([connect(), ask("words alone")], 1),
    ],
)
def test_one_message_of_those_that_are_alike(steps: list[Step], bytes_: int) -> None:
    assert unit(steps) == bytes_
