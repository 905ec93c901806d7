"""The two small stories that are played against each model.

In the first, a slow client connects and sends its messages a byte at a time; a little later a quick
one connects and asks again and again: what does the server do while it waits? In the second, the
quick one's question is one that takes computing, and meanwhile bytes of the slow one come: when
does the server get them?
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from iolab.harness.lab.steps import Step, ask, close, connect, idle, repeat, wait


@dataclass(frozen=True)
class Story:
    """What is played: scripts by client, in the order in which they come, `apart_s` seconds one
    after another; after as long again whoever waits for `GO` goes on. `flags`: of the server."""

    name: str
    lasts_s: float
    scripts: Mapping[str, Sequence[Step]]
    apart_s: float
    flags: tuple[str, ...] = ()


GO = "go"

WAITING = Story(
    "waiting",
    lasts_s=3.2,
    scripts={
        "slow": (
            connect(),
            ask("slow", piece=1, pause_s=0.2),
            idle(0.3),
            ask("sure", piece=1, pause_s=0.2),
            close(),
        ),
        "quick": (
            connect(),
            repeat([ask("quick", within_s=10)], every_s=0.25, times=6),
            close(),
        ),
    },
    apart_s=0.3,
)
# The quick one is there first, or a server of one client would not come to its question.
COMPUTING = Story(
    "computing",
    lasts_s=1.6,
    scripts={
        "quick": (connect(), wait(GO), ask("quick", within_s=10), close()),
        "slow": (
            connect(),
            wait(GO),
            idle(0.05),
            ask("slow", piece=1, pause_s=0.05, within_s=10),
            close(),
        ),
    },
    apart_s=0.2,
    flags=("--reply", "compute"),
)
STORIES = (WAITING, COMPUTING)
