"""A run's id tells whether the run still lives."""

from __future__ import annotations

import subprocess
import sys

import pytest

from harness import run


def test_a_run_lives_as_long_as_its_main_process() -> None:
    code = "from harness import run; print(run.new_id(), flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        run_id = process.stdout.readline().strip()
        assert run.alive(run_id) is True
        process.communicate("\n")
    assert run.alive(run_id) is False


def test_a_pid_that_was_given_to_another_process_is_another_run() -> None:
    pid, started, rest = run.new_id().split("-", 2)
    assert run.alive(f"{pid}-{int(started, 16) + 1:x}-{rest}") is False


def test_an_earlier_boot_of_this_machine_has_no_live_runs() -> None:
    head, place, token = run.new_id().rsplit("-", 2)
    assert run.alive(f"{head}-{place[:4]}{'0000'}-{token}") is False


@pytest.mark.parametrize("run_id", ["", "somebody", "1-2-3-00000000-0000"])
def test_what_cannot_be_seen_from_here_is_not_called_dead(run_id: str) -> None:
    assert run.alive(run_id) is None


def test_workers_have_the_id_of_the_main_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(run.VARIABLE, "handed-down")
    assert run.current_id() == "handed-down"


def test_two_runs_of_one_process_differ() -> None:
    assert run.new_id() != run.new_id()
