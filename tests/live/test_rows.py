"""The rows of a terminal, shared out."""

from __future__ import annotations

import pytest

from iolab.harness.live.rows import Wish, allot

WISHES = [Wish(2, 3, 5), Wish(3, 9, 9), Wish(4, 6, 20), Wish(3, 5, 1000)]


@pytest.mark.parametrize(
    ("rows", "given"),
    [
        (0, [0, 0, 0, 0]),
        (4, [4, 0, 0, 0]),
        (5, [2, 3, 0, 0]),
        (12, [2, 3, 4, 3]),
        (15, [3, 5, 4, 3]),
        (22, [3, 9, 6, 4]),
        (25, [4, 9, 7, 5]),
        (60, [5, 9, 20, 26]),
    ],
)
def test_what_each_part_is_given(rows: int, given: list[int]) -> None:
    assert allot(rows, WISHES) == given


@pytest.mark.parametrize("rows", range(80))
def test_never_more_than_there_is(rows: int) -> None:
    given = allot(rows, WISHES)
    assert sum(given) <= rows
    for got, wish in zip(given, WISHES, strict=True):
        assert got == 0 or wish.least <= got <= wish.most
