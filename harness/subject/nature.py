"""What a subject cannot do by its nature: stated in its manifest, and asserted exactly.

A way of waiting may keep others waiting, or never rest. To answer one client, and to let it go, is
what every way can do, so that may not be stated. A name that the catalogue does not have would
assert nothing, so it is refused too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from iolab.harness.judge.verdict import Side

ALWAYS_POSSIBLE = "connect.one"
POSSIBLE_WITH_ONE_CLIENT = ("reply", "disconnect")


@dataclass(frozen=True)
class Nature:
    """`fails[label] = (verdict, reason)`; the label is a scenario's ID, or one playing's name."""

    fails: Mapping[str, tuple[Side, str]] = field(default_factory=dict)


def objection(label: str) -> str | None:
    """Why the scenario or playing of that name cannot fail by nature; None if it can."""
    from iolab.harness.scenarios.catalogue import load_catalogue
    from iolab.harness.scenarios.scenario import CATALOGUE

    load_catalogue()
    name, quiet, rest = label.partition(" quiet")
    id, slash, case = name.partition("/")
    entry = CATALOGUE.get(id)
    if entry is None or rest or (quiet and not entry.quiet):
        return "is not in the catalogue, as `pytest harness/ --list` prints it"
    if slash and (not case or case not in entry.cases):
        return f"has no such case; there are: {', '.join(filter(None, entry.cases)) or 'none'}"
    cases = [entry.cases[case]] if slash else entry.cases.values()
    alone = any(entry.connections(case) == 1 for case in cases)
    category = id.partition(".")[0]
    if id == ALWAYS_POSSIBLE or (category in POSSIBLE_WITH_ONE_CLIENT and alone):
        return "may not be listed: to serve one client, and to let it go, is in every nature"
    return None
