"""The probe in namespaces: as PID 1, as a user namespace's root, beside an engine's subject."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence

import pytest

from tests.probe.driver import SUBJECTS, Driver, Refused

CELL = ("unshare", "--user", "--map-root-user", "--net", "--pid", "--fork", "--mount-proc")


def refusal(wrapper: Sequence[str]) -> str | None:
    """Why this command cannot be wrapped so here."""
    if shutil.which(wrapper[0]) is None:
        return f"there is no {wrapper[0]}"
    tried = subprocess.run(
        [*wrapper, "sh", "-c", "ip link set lo up"], capture_output=True, text=True
    )
    return tried.stderr.strip() if tried.returncode else None


WHY_NOT = refusal(CELL)
needs_namespaces = pytest.mark.skipif(WHY_NOT is not None, reason=f"no namespaces: {WHY_NOT}")

either_pid = pytest.mark.parametrize(
    "cell", [True, False], ids=["pid-1", "beside-pid-1"], indirect=True
)


@pytest.fixture
def cell(request: pytest.FixtureRequest) -> Iterator[Driver]:
    """A probe that is root of namespaces of its own, and PID 1 unless its parameter is false."""
    as_pid_1 = getattr(request, "param", True)
    run = 'exec "$@"' if as_pid_1 else '"$@"; exit $?'
    driver = Driver((*CELL, "sh", "-c", f"ip link set lo up; {run}", "sh"))
    try:
        yield driver
    finally:
        said = driver.close()
    assert said == ""


@needs_namespaces
def test_pid_1_of_a_user_namespace(cell: Driver) -> None:
    assert cell.ready["pid"] == 1
    pid, port = cell.subject("take_and_keep")
    assert pid > 1
    snapshot = cell.snapshot(port)
    assert [row["state"] for row in snapshot["sockets"]] == ["LISTEN"]
    assert [one["pid"] for one in snapshot["processes"]] == [pid]
    assert cell.ask("freeze")["pids"] == [pid]
    assert cell.ask("thaw")["pids"] == [pid]
    assert cell.ask("limit", nofile=50)["before"].keys() == {str(pid)}


@needs_namespaces
def test_pid_1_reaps_what_it_adopts(cell: Driver) -> None:
    starter, _ = cell.subject("daemonize")
    daemon = int(cell.line(starter).split()[1])
    assert cell.alone(daemon)["ppid"] == 1
    cell.ask("signal", signal="KILL", who="all")
    assert cell.wait({"exited": {}})["processes"] == []


@needs_namespaces
@either_pid
def test_subject_that_an_engine_started_after_mark(cell: Driver) -> None:
    """As on Docker: it enters the namespaces from outside, with a mount namespace of its own."""
    cell.ask("mark")
    with pytest.raises(Refused, match="no process of the subject has been seen yet"):
        cell.wait({"exited": {}}, within_s=0)
    with _engine(cell, "leave_zombie") as engine:
        port = int(_line(engine))
        child = int(_line(engine))
        snapshot = cell.wait({"listening": port})
        main, zombie = snapshot["processes"]
        assert zombie["pid"] == child
        assert snapshot["main"] == main["pid"]
        assert main["ppid"] == 0
        assert zombie["ppid"] == main["pid"]
        with pytest.raises(Refused):
            cell.wait({"main_exited": {}}, within_s=0)
        assert cell.ask("signal", signal="KILL")["pids"] == [main["pid"]]
        cell.wait({"exited": {}})


@needs_namespaces
@either_pid
def test_mark_before_a_restart_keeps_the_child_that_outlived_main(cell: Driver) -> None:
    cell.ask("mark")
    with _engine(cell, "fork") as first:
        port, child = int(_line(first)), int(_line(first))
        old = cell.wait({"listening": port})
        cell.ask("signal", signal="KILL")
        cell.alone(child)
        cell.ask("mark")
        with _engine(cell, "keep") as second:
            new = cell.wait({"listening": int(_line(second))})
            assert [one["pid"] for one in new["processes"]] == [child, new["main"]]
            assert new["main"] not in (old["main"], child)
            cell.ask("signal", signal="KILL", who="all")
            cell.wait({"exited": {}})


@needs_namespaces
def test_helper_in_the_probes_own_file_system_is_no_subject(cell: Driver) -> None:
    cell.ask("mark")
    inside = _pid_outside(cell)
    flags = ["--user", "--net", "--pid", "--mount", "--preserve-credentials"]
    argv = ["nsenter", f"--target={inside}", *flags, "sh", "-c", "echo here; read line"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as helper:
        assert helper.stdout is not None
        assert helper.stdout.readline() == "here\n"
        assert cell.snapshot()["processes"] == []
        helper.communicate("go\n")


@contextlib.contextmanager
def _engine(cell: Driver, subject: str) -> Iterator[subprocess.Popen[str]]:
    """Start a subject as an engine would: from outside, with a mount namespace of its own.

    What is left of it at the end dies with the cell's PID 1.
    """
    flags = ["--user", "--net", "--pid", "--preserve-credentials"]
    enter = ["nsenter", f"--target={_pid_outside(cell)}", *flags, "unshare", "--mount"]
    with subprocess.Popen(
        [*enter, sys.executable, str(SUBJECTS), subject],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as engine:
        try:
            yield engine
        finally:
            engine.kill()


def _line(engine: subprocess.Popen[str]) -> str:
    assert engine.stdout is not None
    return engine.stdout.readline()


def _pid_outside(cell: Driver) -> int:
    """The number of PID 1 of the cell, which is the child of `unshare`, in this namespace."""
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat") as line:
                parent = int(line.read().rpartition(")")[2].split()[1])
        except FileNotFoundError:
            continue
        if parent == cell.process.pid:
            return int(name)
    raise AssertionError("unshare has no child")
