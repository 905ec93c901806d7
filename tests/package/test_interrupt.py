"""The first Ctrl-C ends a run of scenarios: with a table of what was played, and nothing left."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from iolab.harness.backends import choose, identity
from iolab.harness.places import ROOT
from tests.backends.conftest import left_by, usable

BEGINS_WITHIN_S = 60.0
ENDS_WITHIN_S = 20.0

# In a terminal Ctrl-C is for all of the foreground at once; `kill -INT` is for one process.
HOW: dict[str, tuple[Sequence[str], Callable[[int, int], None]]] = {
    "iolab test, alone, Ctrl-C": (("iolab", "test", "-n", "0"), os.killpg),
    "iolab test, with workers, Ctrl-C": (("iolab", "test", "-n", "3"), os.killpg),
    "pytest harness/, with workers, kill -INT": (("pytest", "harness/", "-n", "3"), os.kill),
}


@pytest.fixture(params=choose.BACKENDS)
def name(request: pytest.FixtureRequest) -> str:
    """A backend that this machine allows."""
    usable(request.param, identity.new_id()).close()
    return str(request.param)


@pytest.mark.parametrize("how", HOW)
def test_the_first_one_ends_the_run(name: str, how: str, tmp_path: Path) -> None:
    command, send = HOW[how]
    options = ("-v", "-k", "disconnect or slow", "--backend", name)
    ours = {key: value for key, value in os.environ.items() if "IOLAB" not in key}
    with subprocess.Popen(
        [sys.executable, "-m", *command, "-p", "no:cacheprovider", *options],
        cwd=ROOT,
        # By this, all that the run starts is known again, the subject included.
        env={**ours, "TMPDIR": str(tmp_path), "PYTHONUNBUFFERED": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as run:
        try:
            _await_first_passed(run)
            run_id = next(path.name for path in Path(ROOT, "runs").glob(f"{run.pid}-*"))
            send(run.pid, signal.SIGINT)
            said, _ = run.communicate(timeout=ENDS_WITHIN_S)
        finally:
            run.kill()
    assert run.returncode == 2, said
    played = re.search(r"^(\d+) playings, ", said, re.MULTILINE)
    assert played, said
    assert len(re.findall(r"^(disconnect|slow)\.\S+ .* select ", said, re.MULTILINE)) == int(
        played[1]
    )
    assert "INTERNALERROR" not in said
    assert "Traceback" not in said
    assert not _processes_with(tmp_path)
    assert not left_by(name, run_id)


def _await_first_passed(run: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + BEGINS_WITHIN_S
    assert run.stdout is not None
    for line in run.stdout:
        if "PASSED" in line:
            return
        assert time.monotonic() < deadline, line
    raise AssertionError(f"the run has ended by itself, with {run.wait()}")


def _processes_with(folder: Path) -> list[str]:
    mark = f"TMPDIR={folder}\0".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue  # it has ended, or is somebody else's
    return found
