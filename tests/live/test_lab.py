"""Whole labs: how they run, what can be done meanwhile, how they end, and that nothing is left."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from iolab.harness.backends.identity import new_id
from tests.live.running import (
    ROOT,
    WITHIN_S,
    Terminal,
    command,
    environment,
    in_terminal,
    leftovers,
)
from tests.waiting import is_empty, wait_until


@pytest.fixture
def run_id() -> str:
    """The id of a lab's run."""
    return new_id()


def run(*arguments: str, run_id: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """A lab without a terminal, to its end."""
    return subprocess.run(
        command(*arguments),
        cwd=ROOT,
        env=environment(run_id),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=2 * WITHIN_S,
    )


def nothing_is_left(run_id: str) -> None:
    """Wait until the run owns nothing more; fail with what it still owns."""
    wait_until("nothing to be left", lambda: leftovers(run_id), holds=is_empty)


def test_without_a_terminal(run_id: str) -> None:
    ended = run("--duration", "3", run_id=run_id)
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""
    lines = ended.stdout.splitlines()
    assert "make client" in ended.stdout
    assert any(re.search(r"accepted  steady #\d+", line) for line in lines)
    assert sum("accepted  half-closer" in line for line in lines) <= 2
    assert re.search(r"^steady +\d+ +\d+", ended.stdout, re.MULTILINE)
    assert "when the clients had gone, it let go of all" in ended.stdout
    assert not leftovers(run_id)


def test_another_model_and_several_of_each(run_id: str) -> None:
    ended = run("--duration", "3", "--model", "epoll", "--clients", "3", run_id=run_id)
    assert ended.returncode == 0, ended.stderr
    assert "epoll_wait" in ended.stdout
    accepted = re.search(r"(\d+) connections accepted", ended.stdout)
    assert accepted is not None
    assert int(accepted[1]) >= 24


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "quick"], "iolab: --model: must be one of "),
        (["--reply", "maybe"], "iolab: --reply: invalid choice: 'maybe' (choose from 'echo'"),
        (["--clients", "0"], "iolab: compose.yaml: services.steady.command: --count (CLIENTS)"),
        (["--duration", "-1"], "iolab: --duration: must be a number of seconds above 0, not '-1'"),
        (["--colour"], "iolab: unrecognized arguments: --colour"),
        (["--capture", "/nowhere/x.svg"], "iolab: --capture: there is no folder /nowhere"),
    ],
)
def test_wrong_usage(run_id: str, arguments: list[str], message: str) -> None:
    ended = run(*arguments, run_id=run_id)
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr.startswith(message)
    assert ended.stderr.count("\n") == 1


def test_ctrl_c_ends_it(run_id: str) -> None:
    with in_terminal(run_id=run_id) as terminal:
        terminal.see("connections in the kernel")
        terminal.see("● steady #[0-9]+")
        assert not terminal.is_as_before()
        terminal.type("\x03")
        assert terminal.ends() == 0
        assert "when the clients had gone" in " ".join(terminal.shown.split())
        assert terminal.is_as_before()
        assert not leftovers(run_id)


def test_its_time_ends_it(run_id: str) -> None:
    with in_terminal("--duration", "2", run_id=run_id) as terminal:
        terminal.see("0:0[12] left")
        assert terminal.ends() == 0
        assert terminal.is_as_before()
        assert not leftovers(run_id)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it(run_id: str, number: signal.Signals) -> None:
    with in_terminal(run_id=run_id) as terminal:
        terminal.see("● steady #[0-9]+")
        terminal.process.send_signal(number)
        assert terminal.ends() == 128 + number
        assert f"iolab: ended by {number.name}" in terminal.shown
        assert terminal.is_as_before()
        assert not leftovers(run_id)


def test_a_kill_leaves_nothing(run_id: str) -> None:
    with in_terminal(run_id=run_id) as terminal:
        terminal.see("● steady #[0-9]+")
        assert leftovers(run_id)
        terminal.process.kill()
        nothing_is_left(run_id)


def test_the_operator_answers(run_id: str) -> None:
    with in_terminal("--reply", "operator", run_id=run_id) as terminal:
        terminal.see("waiting for your answer")
        terminal.see("how are you")
        terminal.type("list\r")
        terminal.see(r"who is here ─+ \d+ clients?")
        terminal.see(r"\d ● steady +OPEN")
        terminal.type("1 hello\r")
        terminal.see("answered ● [a-z-]+ #1: hello")
        terminal.type("99 hello\r")
        terminal.see("there is no client 99")
        terminal.type("\x03")
        assert terminal.ends() == 0
        assert terminal.is_as_before()


def test_an_operator_without_a_terminal(run_id: str) -> None:
    ended = run("--reply", "operator", "--duration", "2", run_id=run_id, stdin="list\n77 hello\n")
    assert ended.returncode == 0, ended.stderr
    assert "there is no client 77" in ended.stdout


def test_a_visitor(run_id: str) -> None:
    visit = [sys.executable, "-m", "iolab", "client"]
    with in_terminal(run_id=run_id, size=(50, 160)) as lab:
        lab.see("● silent #[0-9]+")
        visitor = Terminal(visit, dict(os.environ))
        try:
            visitor.see("You are the lab's client 'you")
            visitor.type("anybody there?\r")
            visitor.see("<<< anybody there")
            lab.see("● you #[0-9]+")
            visitor.type("\x04")
            visitor.see("the server has ended|waiting for the rest")
            assert visitor.ends() == 0
        finally:
            visitor.close()
        lab.type("\x03")
        assert lab.ends() == 0


def test_a_picture(run_id: str, tmp_path: Path) -> None:
    path = tmp_path / "view.svg"
    ended = run("--duration", "2", "--capture", str(path), run_id=run_id)
    assert ended.returncode == 0, ended.stderr
    picture = path.read_text(encoding="utf-8")
    ElementTree.fromstring(picture)
    assert "pselect6" in picture
    assert "url(http" not in picture  # nothing is loaded from elsewhere
