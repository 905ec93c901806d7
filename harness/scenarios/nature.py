"""Which scenarios a manifest may state as failing by the subject's nature.

A way of waiting may keep others waiting, or never rest. To answer one client, and to let it go, is
what every way can do, so that may not be stated. A name that the catalogue does not have would
assert nothing, so it is refused too.
"""

from __future__ import annotations

from iolab.harness.errors import UsageError
from iolab.harness.scenarios.catalogue import load_catalogue
from iolab.harness.subject.manifest import Subject


def check_nature(subject: Subject) -> None:
    """UsageError, with the manifest's name and field, when it states what may not be stated."""
    for label in subject.nature.fails:
        why_not = _objection(label)
        if why_not is not None:
            raise UsageError(f'{subject.manifest}: nature.fails."{label}": {why_not}')


def _objection(label: str) -> str | None:
    """Why the scenario or playing of that name cannot fail by nature; None if it can."""
    name, quiet, rest = label.partition(" quiet")
    id, slash, case = name.partition("/")
    entry = load_catalogue().get(id)
    if entry is None or rest or (quiet and not entry.quiet):
        return "is not in the catalogue, as `iolab list` prints it"
    if slash and (not case or case not in entry.cases):
        return f"has no such case; there are: {', '.join(filter(None, entry.cases)) or 'none'}"
    cases = [entry.cases[case]] if slash else entry.cases.values()
    if not entry.may_fail_by_nature(cases):
        return "may not be listed: to serve one client, and to let it go, is in every nature"
    return None
