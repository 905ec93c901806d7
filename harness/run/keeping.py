"""Which runs' observations are kept, and for how long."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from iolab.harness.backends.identity import alive, is_id
from iolab.harness.judge.words import quantity

# What is younger stays, as long as there is room.
KEPT_FOR_S = 24 * 3600.0

# The room for all of them together, in bytes.
ROOM = 1 << 30


def forget_old(runs: Path, kept_for_s: float = KEPT_FOR_S, room: int = ROOM) -> None:
    """Remove the runs that are too old, and of the others the oldest until there is room.

    Never one that is alive; and of one that may be alive, where nobody here can see it, only what
    is too old.
    """
    now = time.time()
    taken = 0
    for changed, run in sorted(_runs(runs), reverse=True):  # the newest first
        taken += size(run)
        lives = alive(run.name)
        too_old = now - changed > kept_for_s
        if lives is not True and (too_old or (taken > room and lives is False)):
            shutil.rmtree(run, ignore_errors=True)


def told(run: Path) -> str:
    """Where the run's observations are, and how long they stay."""
    kept = f"kept for {KEPT_FOR_S / 3600:g} hours, while all have room in {quantity(ROOM)}"
    return f"observations: {run} ({quantity(size(run))}), {kept}"


def size(run: Path) -> int:
    """How many bytes its files have."""
    total = 0
    for path in run.rglob("*"):
        with contextlib.suppress(FileNotFoundError):  # its run is still at work
            total += path.lstat().st_size
    return total


def _runs(folder: Path) -> Iterator[tuple[float, Path]]:
    """Each run, and when something was last written there, as a clock on the wall has it."""
    for run in folder.glob("*/"):
        if is_id(run.name):  # somebody may keep other things in a folder of that name
            with contextlib.suppress(FileNotFoundError):  # another run has just removed it
                yield run.stat().st_mtime, run
