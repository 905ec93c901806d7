"""A run killed at any moment takes all along, on the backends without an engine."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from iolab.harness.backends import choose
from iolab.harness.backends.base import Backend
from tests.backends.conftest import usable
from tests.backends.restless import MARK
from tests.waiting import is_empty, wait_until

ROOT = Path(__file__).parents[2]
GONE_WITHIN_S = 30.0
LONGEST_LIFE_S = 1.0
WHERE_FILES_MAY_BE = ("/tmp", "/run", "/dev/shm", "/var/tmp", "/var/run/netns")

SAYS_ITS_ID_AND_STAYS = """
import signal
from iolab.harness.backends import identity
print(identity.new_id(), flush=True)
signal.pause()
"""


@pytest.fixture(params=["namespaces", "processes"])
def name(request: pytest.FixtureRequest) -> str:
    usable(request.param, "none")
    return str(request.param)


def python(*arguments: str) -> subprocess.Popen[str]:
    """Python, as no part of the run that these tests may be."""
    environment = {key: value for key, value in os.environ.items() if "IOLAB" not in key}
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def restless(name: str) -> Iterator[subprocess.Popen[str]]:
    """A run that has begun; its first line is its id."""
    with python("-m", "tests.backends.restless", name) as process:
        yield process
        process.kill()


def traces(backend: Backend) -> list[str]:
    """All that there is of the run on this machine."""
    run_id = backend.run_id
    marked = [f"process {pid} bears the mark" for pid in _marked(f"{MARK}={run_id}".encode())]
    files = [
        str(path)
        for folder in WHERE_FILES_MAY_BE
        if os.path.isdir(folder)
        for path in Path(folder).iterdir()
        if run_id in path.name
    ]
    pinned = [line for line in Path("/proc/self/mounts").read_text().splitlines() if run_id in line]
    return [*backend.leftovers(), *marked, *files, *pinned]


def nothing_is_left(backend: Backend) -> None:
    wait_until(
        "nothing to be left", lambda: traces(backend), holds=is_empty, within_s=GONE_WITHIN_S
    )


def _marked(mark: bytes) -> list[int]:
    found = []
    for name in os.listdir("/proc"):
        try:
            if name.isdigit() and mark in Path("/proc", name, "environ").read_bytes():
                found.append(int(name))
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue  # it has ended, or is somebody else's
    return found


@pytest.mark.parametrize("seed", range(int(os.environ.get("IOLAB_SUDDEN_ENDS", "4"))))
def test_nothing_is_left_of_a_run_that_was_killed(
    name: str, restless: subprocess.Popen[str], seed: int
) -> None:
    assert restless.stdout is not None
    backend = choose.backend(name, restless.stdout.readline().strip())
    time.sleep(random.Random(seed).uniform(0, LONGEST_LIFE_S))
    restless.send_signal(signal.SIGKILL)
    restless.wait()
    nothing_is_left(backend)


def test_nothing_is_left_though_a_worker_outlives_the_run(name: str) -> None:
    with python("-c", SAYS_ITS_ID_AND_STAYS) as process:
        assert process.stdout is not None
        run_id = process.stdout.readline().strip()
        with python("-m", "tests.backends.restless", name, run_id) as worker:
            backend = choose.backend(name, run_id)
            mark = f"{MARK}={run_id}".encode()
            wait_until("its subject", lambda: _marked(mark), holds=lambda found: len(found) > 1)
            worker.send_signal(signal.SIGSTOP)
            process.kill()
            process.wait()
            nothing_is_left(backend)
            worker.kill()
