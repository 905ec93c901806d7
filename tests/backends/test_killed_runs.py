"""Real runs, killed at random moments: nothing is left of them, and a neighbour does not notice.

The victims are `pytest harness/` and `python -m iolab lab` in turn, from the first line that they
execute on. `IOLAB_KILLED_RUNS=20` kills so many on each backend, and `-rP` shows the figures.
"""

from __future__ import annotations

import os
import random
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from iolab.harness.backends.base import Backend
from iolab.harness.backends.docker.backend import DockerBackend
from iolab.harness.backends.docker.removal import owned
from iolab.harness.backends.namespaces import cgroup
from tests.waiting import is_empty, wait_until

ROOT = Path(__file__).parents[2]
TIMES = int(os.environ.get("IOLAB_KILLED_RUNS", "1"))
GONE_WITHIN_S = 30.0
LONGEST_LIFE_S = 6.0
NEIGHBOUR_WITHIN_S = 120.0
WHERE_FILES_MAY_BE = ("/tmp", "/run", "/dev/shm", "/var/tmp", "/run/docker/netns")

SCENARIOS = ("-m", "pytest", "harness/", "-q", "-p", "no:cacheprovider")
VICTIMS = (
    (*SCENARIOS, "-n", "2", "-k", "disconnect or reply"),
    ("-m", "iolab", "lab"),
)
NEIGHBOUR = (*SCENARIOS, "-n", "1", "-k", "disconnect.fin-idle or reply.pipelined")


class Victim:
    """A run, known by its main process, by a folder for its temporary files, and by its nodes.

    That folder's name is in the environment of every process of the run, the subject's included.
    """

    def __init__(self, arguments: Sequence[str], backend: Backend, folder: Path) -> None:
        self._backend = backend
        self._folder = folder
        folder.mkdir()
        command = (*arguments, "--backend", backend.name)
        # Not a pipe: whoever reads it to the end waits for all that hold it.
        self._process = python(*command, folder=folder, stdout=subprocess.DEVNULL)
        started = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()[19]
        # What begins the run's id, and so is in the name of all that it makes.
        self._id = f"{self._process.pid}-{int(started):x}-"
        self._namespaces: set[str] = set()
        self._killed = 0.0

    def kill(self) -> None:
        """SIGKILL to the main process alone."""
        self._namespaces = namespaces_of(self._processes()) - namespaces_of([os.getpid()])
        self._process.send_signal(signal.SIGKILL)
        self._killed = time.monotonic()
        self._process.wait()

    def traces(self) -> list[str]:
        """All that there is of the run on this machine, in words."""
        found = [f"process {pid}: {command_line(pid)}" for pid in self._processes()]
        found += sorted(self._namespaces & namespaces_of(all_processes()))
        found += [str(path) for path in cgroup.named(f"iolab.{self._id}")]
        mounts = Path("/proc/self/mounts").read_text().splitlines()
        found += [line for line in mounts if self._id in line or str(self._folder) in line]
        found += [str(path) for path in self._folder.iterdir()]
        for folder in filter(os.path.isdir, WHERE_FILES_MAY_BE):
            found += [str(path) for path in Path(folder).iterdir() if self._id in path.name]
        if isinstance(self._backend, DockerBackend):
            mine = owned(self._backend.client)
            found += [str(thing) for thing in mine if thing.run_id.startswith(self._id)]
        return found

    def await_end(self) -> float:
        """Seconds from the kill until no trace is left; AssertionError with those that are."""
        wait_until("nothing to be left", self.traces, holds=is_empty, within_s=GONE_WITHIN_S)
        return time.monotonic() - self._killed

    def _processes(self) -> list[int]:
        marks = f"TMPDIR={self._folder}\0".encode(), self._id.encode()
        found = []
        for pid in all_processes():
            try:
                said = [Path(f"/proc/{pid}/{name}").read_bytes() for name in ("environ", "cmdline")]
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue  # it has ended, or is somebody else's
            if any(mark in text for mark in marks for text in said):
                found.append(pid)
        return found


def python(*arguments: str, folder: Path, stdout: int = subprocess.PIPE) -> subprocess.Popen[str]:
    """Python, as no part of the run that these tests may be."""
    ours = {name: value for name, value in os.environ.items() if "IOLAB" not in name}
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**ours, "TMPDIR": str(folder)},
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.STDOUT,
        text=True,
    )


def all_processes() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def namespaces_of(pids: Sequence[int]) -> set[str]:
    """Which namespaces there are, by what the kernel calls them."""
    found = set()
    for pid in pids:
        for kind in ("net", "pid", "mnt", "ipc", "uts", "user"):
            try:
                found.add(os.readlink(f"/proc/{pid}/ns/{kind}"))
            except OSError:
                continue  # it has ended, or is somebody else's
    return found


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except (FileNotFoundError, ProcessLookupError):
        return "has ended meanwhile"


class Neighbour:
    """Runs that play two scenarios, one after the other, for as long as they are let."""

    def __init__(self, backend: Backend, folder: Path) -> None:
        self._arguments = (*NEIGHBOUR, "--backend", backend.name)
        self._folder = folder
        folder.mkdir()
        self.finished = 0
        self._start()

    def _start(self) -> None:
        self._process = python(*self._arguments, folder=self._folder)

    def go_on(self) -> None:
        """Begin the next one if one has finished."""
        if self._process.poll() is not None:
            self.finish()
            self._start()

    def finish(self) -> None:
        """Wait for the end of the one that runs; AssertionError unless all was well with it."""
        said, _ = self._process.communicate(timeout=NEIGHBOUR_WITHIN_S)
        assert self._process.returncode == 0, said
        self.finished += 1

    def kill(self) -> None:
        """End it, whatever it is doing."""
        self._process.kill()
        self._process.communicate()


@pytest.fixture
def neighbour(backend: Backend, tmp_path: Path) -> Iterator[Neighbour]:
    neighbour = Neighbour(backend, tmp_path / "neighbour")
    yield neighbour
    neighbour.kill()


def test_nothing_is_left_and_the_neighbour_finishes(
    backend: Backend, neighbour: Neighbour, tmp_path: Path
) -> None:
    moments = random.Random()
    took = []
    for number in range(TIMES):
        victim = Victim(VICTIMS[number % len(VICTIMS)], backend, tmp_path / str(number))
        time.sleep(moments.uniform(0, LONGEST_LIFE_S))
        victim.kill()
        took.append(victim.await_end())
        neighbour.go_on()
    neighbour.finish()
    print(
        f"{backend.name}: {TIMES} runs killed; all was gone after {statistics.median(took):.2f} s "
        f"(median), {max(took):.2f} s (longest); {neighbour.finished} neighbours finished"
    )
