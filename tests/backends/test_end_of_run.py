"""Nothing of a run is left, however it ends, and its neighbours do not notice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from iolab.harness.backends.base import Backend, LabNodes
from tests.backends.conftest import left_by
from tests.backends.hearing import Hearing
from tests.backends.test_conformance import CAT
from tests.waiting import is_empty, wait_until

ROOT = Path(__file__).parents[2]
GONE_WITHIN_S = 30.0


@pytest.fixture
def neighbour(backend: Backend) -> Iterator[subprocess.Popen[str]]:
    """Another run, with an open lab; its first line is its id."""
    environment = {name: value for name, value in os.environ.items() if "IOLAB" not in name}
    with subprocess.Popen(
        [sys.executable, "-m", "tests.backends.dying", backend.name],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        yield process
        if process.poll() is None:
            process.kill()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_nothing_is_left_and_the_neighbour_goes_on(
    backend: Backend, lab: LabNodes, neighbour: subprocess.Popen[str], how: signal.Signals
) -> None:
    assert neighbour.stdout is not None
    run_id = neighbour.stdout.readline().strip()
    assert run_id, neighbour.communicate()[1]
    hearing = Hearing(lab.client("undisturbed").spawn(CAT))
    assert left_by(backend.name, run_id)
    neighbour.send_signal(how)
    wait_until(
        "nothing to be left",
        lambda: left_by(backend.name, run_id),
        holds=is_empty,
        within_s=GONE_WITHIN_S,
    )
    hearing.process.write(b"as before\n")
    assert hearing.says(b"as before\n")
