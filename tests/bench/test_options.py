"""The options of `python -m bench`, and what is chosen by them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bench import options
from bench.plan import GROUPS
from iolab.harness.errors import UsageError
from iolab.harness.places import ROOT


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["--only", "nope"], "--only: must be of lines-1, lines-10, .*, not 'nope'"),
        (["--only", "batch-16", "trio"], "--only: none of trio is in batch-16, trio"),
        (["--rounds", "0"], "--rounds: must be a whole number from 1 to 1000, not '0'"),
        (["--rounds", "many"], "--rounds: must be a whole number from 1 to 1000, not 'many'"),
        (["--seed", "-1"], "--seed: must be a whole number from 0 to "),
        (["--json", "no/x.json"], "--json: must be a file in a folder that is there, not 'no/x.j"),
        (["--fast"], "unrecognized arguments: --fast"),
    ],
)
def test_what_is_wrong_is_named_with_what_is_allowed(given: list[str], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        options.read(given)


def test_a_bad_option_ends_with_status_2_and_one_line() -> None:
    words = [sys.executable, "-m", "bench", "--only", "nope"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    assert line.startswith("bench: --only: must be of ")


def test_all_is_measured_by_default_and_kept() -> None:
    given = options.read([])
    assert given.groups == tuple(GROUPS.values())
    assert given.pace.rounds >= 5
    assert given.whole


@pytest.mark.parametrize("given", [["--quick"], ["--only", "churn"], ["--rounds", "4"]])
def test_what_is_not_a_whole_run_is_not_kept(given: list[str]) -> None:
    assert not options.read(given).whole


def test_groups_and_contestants_narrow_each_other_down() -> None:
    [group] = options.read(["--only", "lines-100", "epoll", "gevent"]).groups
    assert [entry.name for entry in group.entries] == ["epoll", "gevent"]


def test_a_contestant_alone_is_measured_wherever_it_is() -> None:
    groups = options.read(["--only", "poll-loop"]).groups
    assert {group.name for group in groups} == {"lines-100", "idle-900"}
    assert {entry.contestant for group in groups for entry in group.entries} == {"poll-loop"}


def test_the_file_may_be_anywhere_that_is_there(tmp_path: Path) -> None:
    assert options.read(["--json", str(tmp_path / "x.json")]).json == tmp_path / "x.json"
