"""Which runs' observations are removed at the start of another."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from iolab.harness.backends import identity
from iolab.harness.run import keeping

HOUR = 3600.0


def made(folder: Path, name: str, hours_ago: float, size: int = 1000) -> str:
    """A run's folder, last changed so long ago."""
    run = folder / name
    run.mkdir()
    (run / "it.ndjson").write_bytes(b"x" * size)
    then = time.time() - hours_ago * HOUR
    os.utime(run, (then, then))
    return name


def id_of(number: int) -> str:
    """The id of a run of a machine that is not this one."""
    return f"{number}-1-1-00000000-0000"


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def dead(monkeypatch: pytest.MonkeyPatch) -> None:
    """No run is alive, and everybody can see it."""
    monkeypatch.setattr(keeping, "alive", lambda run_id: False)


@pytest.mark.usefixtures("dead")
def test_what_is_young_stays_however_many_there_are(tmp_path: Path) -> None:
    young = [made(tmp_path, id_of(k), hours_ago=k) for k in range(20)]
    made(tmp_path, id_of(99), hours_ago=25)
    keeping.forget_old(tmp_path)
    assert left(tmp_path) == sorted(young)


@pytest.mark.usefixtures("dead")
def test_of_too_much_the_oldest_goes(tmp_path: Path) -> None:
    for k in range(5):
        made(tmp_path, id_of(k), hours_ago=k)
    keeping.forget_old(tmp_path, room=2_500)
    assert left(tmp_path) == [id_of(0), id_of(1)]


def test_a_run_that_is_alive_stays(tmp_path: Path) -> None:
    alive = made(tmp_path, identity.new_id(), hours_ago=100)
    keeping.forget_old(tmp_path, room=1)
    assert left(tmp_path) == [alive]


def test_one_that_may_be_alive_stays_until_it_is_old(tmp_path: Path) -> None:
    unknown = made(tmp_path, id_of(1), hours_ago=1)
    made(tmp_path, id_of(2), hours_ago=100)
    keeping.forget_old(tmp_path, room=1)
    assert left(tmp_path) == [unknown]


def test_what_is_no_run_is_not_ours(tmp_path: Path) -> None:
    mine = made(tmp_path, "marathon", hours_ago=1000)
    keeping.forget_old(tmp_path, room=1)
    assert left(tmp_path) == [mine]


def test_where_they_are_is_told_with_their_size(tmp_path: Path) -> None:
    made(tmp_path, "run", hours_ago=0, size=20_480)
    told = keeping.told(tmp_path / "run")
    assert told.startswith(f"observations: {tmp_path}/run (20 KiB), kept for 24 hours")
