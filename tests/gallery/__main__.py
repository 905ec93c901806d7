"""`python -m tests.gallery [NAME …]`: the harness against servers whose faults are known.

Each broken server is played by the scenario that stands for its bug (`[expected]` in its manifest)
and must be caught on that verdict, by evidence that names the bug. The controls are correct: nobody
may blame them. They are played in the whole catalogue, or, with `--controls some`, the catalogue is
dealt out among them, so that each scenario is asked of one and each control is asked by many.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console

from iolab.harness.run.options import BACKENDS
from iolab.harness.scenarios.catalogue import load_catalogue
from iolab.harness.subject.manifest import Subject, load
from tests.gallery.audience import watched
from tests.gallery.servers import BROKEN, CONTROLS
from tests.gallery.verdicts import blamed, missed, unplayable

# What pytest exits with when all is played, and something failed or nothing did.
PLAYED = (0, 1)


def main(arguments: Sequence[str]) -> int:
    """Play, and tell what was found; 1 when a bug is missed or a control is blamed."""
    options = _options(arguments)
    broken, controls = (subjects(scripts, options.names) for scripts in (BROKEN, CONTROLS))
    if options.controls == "none":
        controls = []
    words = ["--backend", options.backend]
    for subject in (*broken, *controls):
        words += ["--subject", str(subject.manifest)]
    for subject in broken:
        words += [word for name in subject.expected for word in _only(subject, name)]
    if options.controls == "some":
        words += [word for subject, name in dealt(controls) for word in _only(subject, name)]
    console = Console(highlight=False, markup=False, emoji=False)
    begun, used = time.monotonic(), _cpu_s()
    status, audience = watched(words, console)
    if status not in PLAYED:
        return status
    rows = audience.rows
    bad = [text for each in broken for text in missed(each, rows, audience.impossible)]
    bad += [text for each in controls for text in blamed(each, rows)]
    for text in bad:
        console.print(f"\n{text}", soft_wrap=True)
    names = {text.partition(":")[0] for text in bad}
    absent = sum(unplayable(each, rows, audience.impossible) for each in broken)
    caught = sum(each.name not in names for each in broken) - absent
    trusted = sum(each.name not in names for each in controls)
    asked = sum(row.subject in {each.name for each in controls} for row in rows)
    console.print(
        f"\n{caught} of {len(broken)} broken servers were caught"
        f"{f' ({absent} cannot be played here)' if absent else ''}, "
        f"{trusted} of {len(controls)} controls were not blamed, in {asked} playings; "
        f"{time.monotonic() - begun:.0f} s, {_cpu_s() - used:.0f} s of CPU",
        soft_wrap=True,
    )
    return 1 if bad else 0


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.gallery", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="these servers (default: all)")
    parser.add_argument("--backend", choices=BACKENDS, default="namespaces")
    parser.add_argument(
        "--controls",
        choices=("all", "some", "none"),
        default="all",
        help="all that there is, one catalogue dealt out among them, or none (default: all)",
    )
    options = parser.parse_args(arguments)
    for name in set(options.names).difference(script.stem for script in (*BROKEN, *CONTROLS)):
        parser.error(f"NAME: must be a server of gallery/ or gallery/controls/, not {name!r}")
    return options


def subjects(scripts: Sequence[Path], names: Sequence[str] = ()) -> list[Subject]:
    """What these servers' manifests say, or those of the names alone."""
    return [
        load(script.with_suffix(".toml")) for script in scripts if not names or script.stem in names
    ]


def _only(subject: Subject, name: str) -> tuple[str, str]:
    return "--only", f"{subject.name}:{name}"


def dealt(controls: Sequence[Subject]) -> Iterator[tuple[Subject, str]]:
    """Each scenario in each of its cases, to the next control that promises what it asks for."""
    turn = 0
    for entry in load_catalogue().values():
        for case, value in entry.cases.items():
            for place in range(turn, turn + len(controls)):
                subject = controls[place % len(controls)]
                if entry.unsupported(subject.promises, {}, value) is None:
                    yield subject, entry.label(case, quiet=False)
                    turn = place + 1
                    break


def _cpu_s() -> float:
    """Processor time of this process and of its children that have ended, in seconds."""
    return sum(os.times()[:4])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
