"""No scenario asks for a longer message than was promised."""

from __future__ import annotations

import pytest

from iolab.harness.lab.steps import Step, ask, fitting, flood, repeat, send


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
