"""A run's id names its main process, so that a dead run is told from a live one without a record.

A process is known by its PID and the time of its start: the PID alone may have been given away.
"""

from __future__ import annotations

import os
import re
import secrets

_RUN_ID = re.compile(r"(\d+)-(\d+)-[0-9a-f]{4}")


def new_run_id() -> str:
    """The id of a run whose main process is the caller."""
    return f"{os.getpid()}-{_started(os.getpid())}-{secrets.token_hex(2)}"


def main_process(run_id: str) -> int | None:
    """The PID of the run's main process; None when it has ended, or the id names no process."""
    match = _RUN_ID.fullmatch(run_id)
    if match is None:
        return None
    pid, started = int(match[1]), int(match[2])
    return pid if _started(pid) == started else None


def is_dead(run_id: str) -> bool:
    """Whether the id names a process that has ended; False where it cannot be told."""
    return _RUN_ID.fullmatch(run_id) is not None and main_process(run_id) is None


def _started(pid: int) -> int | None:
    """When it was started, in clock ticks since the machine's; None without such a process."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return int(stat.read().rpartition(")")[2].split()[19])
    except (FileNotFoundError, ProcessLookupError):
        return None
