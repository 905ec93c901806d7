"""How the rows of a terminal are shared out between the parts of the view."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wish:
    """The rows that a part cannot do without, would be good with, and could use at most."""

    least: int
    good: int
    most: int


def allot(rows: int, wishes: Sequence[Wish]) -> list[int]:
    """Rows for each part: what it needs, then what is good, then what is left in turns.

    Where there is not even room for what all need, the last parts get nothing.
    """
    given = [0] * len(wishes)
    for place, wish in enumerate(wishes):
        if wish.least <= rows:
            given[place] = wish.least
            rows -= wish.least
    for place, wish in enumerate(wishes):
        if given[place]:
            more = min(rows, max(0, wish.good - given[place]))
            given[place] += more
            rows -= more
    while rows:
        hungry = [place for place, wish in enumerate(wishes) if 0 < given[place] < wish.most]
        if not hungry:
            break
        for place in hungry[:rows]:
            given[place] += 1
        rows -= len(hungry[:rows])
    return given
