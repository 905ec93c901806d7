"""`docs/gallery.md`: the servers that are broken on purpose, and what finds them."""

from __future__ import annotations

from pathlib import Path

from iolab.harness.places import ROOT
from iolab.harness.subject.manifest import Subject, load

GALLERY = ROOT / "gallery"

HEAD = """\
<!-- Made by `python -m iolab docs` from the manifests in gallery/; do not edit. -->
# The gallery

Small servers, each broken in one realistic way and named after it, and the scenario that finds it.
`make gallery` (minutes) plays them all: this scenario must fail, on this verdict, with evidence
that names the bug; and the correct servers in `gallery/controls/` must pass all that they promise.
`make gallery CONTROLS=some` deals one catalogue out among those, and `make gallery ARGS=NAME` plays
one server.

## Broken

| server | bug | found by | verdict |
| --- | --- | --- | --- |
"""

CONTROLS = """
## Correct

| server | what it is |
| --- | --- |
"""


def page() -> str:
    """The whole page."""
    broken = [load(path) for path in sorted(GALLERY.glob("*.toml"))]
    correct = [load(path) for path in sorted((GALLERY / "controls").glob("*.toml"))]
    rows = [_row(subject) for subject in broken]
    return HEAD + "".join(rows) + CONTROLS + "".join(_control(subject) for subject in correct)


def _row(subject: Subject) -> str:
    found = "<br>".join(f"`{scenario}`" for scenario in subject.expected)
    sides = "<br>".join(want.partition(":")[0] for want in subject.expected.values())
    return f"| {_link(subject)} | {subject.title} | {found} | {sides} |\n"


def _control(subject: Subject) -> str:
    return f"| {_link(subject)} | {subject.title} |\n"


def _link(subject: Subject) -> str:
    path = (subject.manifest or Path()).with_suffix(".py").relative_to(ROOT)
    return f"[{subject.name}](../{path})"
