"""The options of `python -m bench`, checked before anything starts."""

from __future__ import annotations

import argparse
import dataclasses
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.contestants import CONTESTANTS
from bench.plan import GROUPS, Group
from bench.rounds import Pace
from iolab.harness.errors import UsageError

FULL = Pace(rounds=5, warm_s=0.1, for_s=0.3)
QUICK = Pace(rounds=1, warm_s=0.05, for_s=0.1)


@dataclass(frozen=True)
class Options:
    """What one run measures. `whole` if it measures everything, and long enough to be kept."""

    groups: tuple[Group, ...]
    pace: Pace
    seed: int
    json: Path | None
    whole: bool


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:  # type: ignore[override]
        raise UsageError(message)


def read(arguments: Sequence[str]) -> Options:
    """The options as given; UsageError names the one that is wrong and what is allowed."""
    parser = _Parser(
        prog="python -m bench",
        description="Measure our models beside other servers, and whether the bars hold.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--quick", action="store_true", help="one short round: a try, not a measurement")
    add("--only", nargs="+", default=[], metavar="NAME", help="these groups or contestants alone")
    add("--rounds", default=None, metavar="N", help=f"1 to 1000 (default: {FULL.rounds})")
    add("--seed", default=None, metavar="N", help="order the rounds as the run that told this seed")
    add("--json", default=None, metavar="FILE", help="write all figures to FILE")
    given = parser.parse_args(arguments)
    pace = QUICK if given.quick else FULL
    if given.rounds is not None:
        pace = dataclasses.replace(pace, rounds=_number("--rounds", given.rounds, 1, 1000))
    return Options(
        groups=_chosen(given.only),
        pace=pace,
        seed=(
            random.randrange(1_000_000)
            if given.seed is None
            else _number("--seed", given.seed, 0, 2**63)
        ),
        json=_file("--json", given.json),
        whole=not given.only and not given.quick and pace.rounds >= FULL.rounds,
    )


def _chosen(names: Sequence[str]) -> tuple[Group, ...]:
    """The groups that are named, or all; in each the entries of contestants named, or all."""
    allowed = [*GROUPS, *CONTESTANTS]
    for name in names:
        if name not in allowed:
            raise UsageError(f"--only: must be of {', '.join(allowed)}, not {name!r}")
    groups = [group for group in GROUPS.values() if group.name in names]
    who = [name for name in names if name in CONTESTANTS]
    chosen = []
    for group in groups or GROUPS.values():
        entries = tuple(e for e in group.entries if not who or e.contestant in who)
        if entries:
            chosen.append(dataclasses.replace(group, entries=entries))
    if not chosen:
        raise UsageError(f"--only: none of {', '.join(who)} is in {', '.join(names)}")
    return tuple(chosen)


def _number(option: str, text: str, low: int, high: int) -> int:
    if not text.isascii() or not text.isdigit() or not low <= int(text) <= high:
        raise UsageError(f"{option}: must be a whole number from {low} to {high}, not {text!r}")
    return int(text)


def _file(option: str, name: str | None) -> Path | None:
    """A file that can be written: found out before a run of minutes, not behind it."""
    if name is None:
        return None
    path = Path(name).absolute()
    if path.is_dir() or not path.parent.is_dir():
        raise UsageError(f"{option}: must be a file in a folder that is there, not {name!r}")
    return path
