"""A run's id tells whether the run still lives."""

from __future__ import annotations

import subprocess
import sys

import pytest

from iolab.harness.backends import identity

SAYS_ITS_ID = "from iolab.harness.backends import identity; print(identity.new_id(), flush=True)"


def test_a_run_lives_as_long_as_its_main_process() -> None:
    code = (
        "from iolab.harness.backends import identity; print(identity.new_id(), flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        run_id = process.stdout.readline().strip()
        assert identity.alive(run_id) is True
        process.communicate("\n")
    assert identity.alive(run_id) is False


def test_a_pid_that_was_given_to_another_process_is_another_run() -> None:
    pid, started, rest = identity.new_id().split("-", 2)
    assert identity.alive(f"{pid}-{int(started, 16) + 1:x}-{rest}") is False


def test_an_earlier_boot_of_this_machine_has_no_live_runs() -> None:
    head, place, token = identity.new_id().rsplit("-", 2)
    assert identity.alive(f"{head}-{place[:4]}{'0000'}-{token}") is False


@pytest.mark.parametrize("run_id", ["", "somebody", "1-2-3-00000000-0000"])
def test_what_cannot_be_seen_from_here_is_not_called_dead(run_id: str) -> None:
    assert identity.alive(run_id) is None


def test_workers_have_the_id_of_the_main_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(identity.VARIABLE, "handed-down")
    assert identity.current_id() == "handed-down"


def test_two_runs_of_one_process_differ() -> None:
    assert identity.new_id() != identity.new_id()
