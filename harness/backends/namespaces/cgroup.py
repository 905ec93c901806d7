"""Control groups of the subject's own, where this machine lets us make them.

Theory of operation. A group is a directory, made beside our own group, and named after the run.
With version 1 each controller has a hierarchy of its own; with version 2 there is one, and a group
has the controllers that its parent hands on (`cgroup.subtree_control`). A group of version 2 that
hands on controllers holds no processes, so ours is usually made beside our own group and not in it.
Which it is, and whether we may, is tried.

A group outlives its processes: it has to be removed, which the kernel refuses while one is left.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from iolab.harness.backends.base import BackendError

CONTROLLERS = ("memory", "cpu")
PERIOD_US = 100_000

# Above every bound that a scenario sets on memory, and far below what would hurt the machine.
MOST_MEMORY = 2 * 1024**3

_NO_QUOTA_V1 = "-1"


@dataclass(frozen=True)
class Home:
    """Where groups with this controller can be made."""

    controller: str
    version: int
    folder: Path


class Groups:
    """The control groups of one subject. Raises OSError when they cannot be made."""

    def __init__(self, name: str, homes: Sequence[Home]) -> None:
        self._homes = {home.controller: home for home in homes}
        self._folders = {home.controller: home.folder / name for home in homes}
        for folder in self.folders:
            folder.mkdir()
        self.limit_memory(None)

    @property
    def folders(self) -> list[Path]:
        """The groups' directories, each once."""
        return list(dict.fromkeys(self._folders.values()))

    def limit_memory(self, limit: int | None) -> None:
        """At most so many bytes; None for what is harmless. Returns once it was read back."""
        home = self._home("memory", limit)
        if home is not None:
            name = "memory.limit_in_bytes" if home.version == 1 else "memory.max"
            wanted = MOST_MEMORY if limit is None else limit
            self._set("memory", name, str(wanted), wanted)

    def limit_cpus(self, limit: float | None) -> None:
        """At most so many CPUs; None for as many as there are. Returns once it was read back."""
        home = self._home("cpu", limit)
        quota = None if limit is None else round(limit * PERIOD_US)
        if home is None:
            return
        if home.version == 1:
            (self._folders["cpu"] / "cpu.cfs_period_us").write_text(str(PERIOD_US))
            text = _NO_QUOTA_V1 if quota is None else str(quota)
            self._set("cpu", "cpu.cfs_quota_us", text, quota)
        else:
            text = f"{'max' if quota is None else quota} {PERIOD_US}"
            self._set("cpu", "cpu.max", text, quota)

    def remove(self) -> None:
        """Remove the groups; OSError (EBUSY) while a process is in one."""
        for folder in self.folders:
            folder.rmdir()

    def _home(self, controller: str, limit: float | None) -> Home | None:
        """Where the controller's group is; without one, there is no limit to lift."""
        if controller not in self._homes and limit is not None:
            raise BackendError(f"the subject has no {controller} control group")
        return self._homes.get(controller)

    def _set(self, controller: str, name: str, text: str, limit: int | None) -> None:
        file = self._folders[controller] / name
        file.write_text(text)
        seen = file.read_text().split()[0]
        # The kernel rounds memory down to whole pages.
        held = limit is None or (
            seen.isdigit() and 0 <= limit - int(seen) < os.sysconf("SC_PAGE_SIZE")
        )
        if not held:
            raise BackendError(f"{file}: {text} was written and {seen} is read back")


def homes() -> list[Home]:
    """Where groups could be made here, whether or not we may."""
    ours = _own_groups()
    found = [Home(name, 1, ours[name]) for name in CONTROLLERS if name in ours]
    unified = ours.get("")
    if unified is not None:
        wanted = [name for name in CONTROLLERS if name not in ours]
        for folder in (unified, *unified.parents):
            control = folder / "cgroup.subtree_control"
            if not control.exists():
                break  # above the root of the hierarchy
            handed_on = control.read_text().split()
            if any(name in handed_on for name in wanted):
                found += [Home(name, 2, folder) for name in wanted if name in handed_on]
                break
    return found


def usable() -> tuple[list[Home], dict[str, str]]:
    """Where groups can be made, by making one; and for each other controller the reason."""
    able, reasons = [], {}
    for name in CONTROLLERS:
        reasons[name] = f"no cgroup hierarchy with the {name} controller is mounted"
    for home in homes():
        trial = home.folder / f"iolab-trial-{os.getpid()}"
        try:
            trial.mkdir()
            trial.rmdir()
        except OSError as error:
            reasons[home.controller] = (
                f"no {home.controller} control group can be made in {home.folder}: {error.strerror}"
                " (as a user: run under `systemd-run --user --scope -p Delegate=yes`)"
            )
        else:
            able.append(home)
            del reasons[home.controller]
    return able, reasons


def named(prefix: str) -> Iterator[Path]:
    """Groups of any run whose names begin so, wherever ours are made."""
    for folder in {home.folder for home in homes()}:
        with contextlib.suppress(PermissionError):  # then none of ours is in it
            yield from (path for path in folder.glob(f"{prefix}*") if path.is_dir())


def remove(prefix: str) -> None:
    """Remove the groups whose names begin so; OSError (EBUSY) while a process is in one."""
    for path in named(prefix):
        path.rmdir()


def _own_groups() -> dict[str, Path]:
    """Our own group's directory, by controller; "" for the unified hierarchy."""
    mounts: dict[str, tuple[Path, str]] = {}
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields, _, rest = line.partition(" - ")
        root, point = fields.split()[3:5]
        kind, _, options = rest.split()
        if kind == "cgroup2":
            mounts.setdefault("", (Path(point), root))
        elif kind == "cgroup":
            for option in options.split(","):
                mounts.setdefault(option, (Path(point), root))
    ours = {}
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        for name in controllers.split(","):
            if name in mounts:
                at, root = mounts[name]
                inside = path.removeprefix(root).strip("/") if path.startswith(root) else ""
                ours[name] = at / inside
    return ours
