"""A run's identity, from which any later process can tell whether the run still lives.

Everything a run makes on the machine carries its id, and the id names the run's main process: its
pid with its start time (a pid alone is used again), the PID namespace in which that pid means
something, the boot, and the machine, because a Docker Engine may outlive a boot and serve other
machines. No file has to be kept, and none can be stale.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import socket
from pathlib import Path

VARIABLE = "IOLAB_RUN"

_ID = re.compile(r"(\d+)-([0-9a-f]+)-([0-9a-f]+)-([0-9a-f]{4})([0-9a-f]{4})-[0-9a-f]{4}")


def new_id() -> str:
    """The id of a run whose main process is this one."""
    pid = os.getpid()
    return (
        f"{pid}-{_started(pid):x}-{_pid_namespace():x}-{_machine()}{_boot()}-{secrets.token_hex(2)}"
    )


def current_id() -> str:
    """The id that the main process handed down by `IOLAB_RUN`, or a new one when there is none."""
    return os.environ.get(VARIABLE) or new_id()


def is_id(text: str) -> bool:
    """Whether that is a run's id, and so the name of something that a run has made."""
    return _ID.fullmatch(text) is not None


def alive(run_id: str) -> bool | None:
    """Whether the run's main process still runs; None when that cannot be seen from here.

    It cannot be seen for a run of another machine or PID namespace that uses the same engine.
    """
    parts = _ID.fullmatch(run_id)
    if parts is None:
        return None
    pid, started, namespace, machine, boot = parts.groups()
    if machine != _machine():
        return None
    if boot != _boot():
        return False
    if int(namespace, 16) != _pid_namespace():
        return None
    return _started(int(pid)) == int(started, 16)


def _started(pid: int) -> int:
    """When the process started, in clock ticks since boot; -1 when it has ended."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return -1
    # The command's name, in parentheses, may itself hold spaces and parentheses.
    fields = text.rpartition(")")[2].split()
    return -1 if fields[0] in "ZX" else int(fields[19])


def _pid_namespace() -> int:
    return os.stat("/proc/self/ns/pid").st_ino


def _boot() -> str:
    return _digest(Path("/proc/sys/kernel/random/boot_id").read_text())


def _machine() -> str:
    try:
        return _digest(Path("/etc/machine-id").read_text())
    except OSError:
        return _digest(socket.gethostname())


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:4]
