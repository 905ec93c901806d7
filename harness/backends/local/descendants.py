"""Descendants of a process: finding them, and ending them where no PID namespace does it."""

from __future__ import annotations

import contextlib
import os
import signal


def kill_descendants() -> None:
    """Kill every descendant of the caller, which must be their subreaper; returns when all ended.

    A process may fork while we look. Its child is then found in a later round: whatever loses its
    parent becomes a child of ours, so no child left means no descendant left.
    """
    while True:
        for pid in descendants(os.getpid()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def descendants(of: int) -> set[int]:
    """The PIDs of all living descendants of a process."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
                children.setdefault(_parent(int(name)), []).append(int(name))
    found: set[int] = set()
    new = [of]
    while new:
        new = [child for parent in new for child in children.get(parent, ())]
        found.update(new)
    return found


def command_lines() -> dict[int, str]:
    """The command line of every process that we can see and that has one, by PID."""
    lines = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
                with open(f"/proc/{name}/cmdline", "rb") as file:
                    words = file.read().rstrip(b"\0").split(b"\0")
                lines[int(name)] = " ".join(
                    word.decode(errors="backslashreplace") for word in words
                )
    return {pid: line for pid, line in lines.items() if line}


def _parent(pid: int) -> int:
    with open(f"/proc/{pid}/stat") as stat:
        return int(stat.read().rpartition(")")[2].split()[1])
