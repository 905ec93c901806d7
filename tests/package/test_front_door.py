"""`iolab COMMAND …`: wrong input ends in one line that names what is wrong, and status 2."""

from __future__ import annotations

import subprocess
import sys

import pytest

from iolab.harness.cli.main import COMMANDS
from iolab.harness.places import ROOT


def iolab(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "iolab", *arguments],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_help_names_every_command() -> None:
    done = iolab("--help")
    assert done.returncode == 0
    shown = [line.split()[0] for line in done.stdout.splitlines() if line.startswith("  ")]
    assert shown == list(COMMANDS)
    assert iolab().stdout == done.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_a_usage_of_its_own(name: str) -> None:
    done = iolab(name, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith(f"usage: iolab {name} ")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("tset", "iolab: no command 'tset'; did you mean test? known are: lab, client, test, "),
        ("zzz", "iolab: no command 'zzz'; known are: lab, client, test, "),
        ("lab --duration x", "iolab: --duration: must be a number of seconds above 0, not 'x'"),
        ("client x", "iolab: unrecognized arguments: x"),
        ("test --nope", "iolab: unrecognized arguments: --nope"),
        ("test -n x", "iolab: -n/--numprocesses: invalid "),
        ("test -k a(", "iolab: -k: cannot be read: "),
        ("test --scale x", "iolab: --scale: must be one of quick, normal, heavy, not 'x'"),
        ("test no.toml -k connect", "iolab: no.toml: cannot be read: No such file or directory"),
        ("test -k connect README.md", "iolab: README.md: not valid TOML: "),
        ("list x", "iolab: unrecognized arguments: x"),
        ("judge", "iolab: the following arguments are required: RUN"),
        ("judge nowhere", "iolab: RUN: must be a folder with .ndjson files, or one of them, not "),
        ("serve --model x", "iolab serve: argument --model: invalid choice: 'x'"),
        ("serve --host x", "iolab serve: argument --host: 'x' is not an IPv4 or IPv6 address"),
        ("talk", "iolab talk: the following arguments are required: HOST, PORT"),
        ("talk ::1 x", "iolab talk: argument PORT: must be a port, from 1 to 65535, not 'x'"),
        ("play steady ::1 0", "iolab play: argument PORT: must be a port, from 1 to 65535, not"),
        ("play steady ::1 9 --count x", "iolab play: argument --count: must be a whole number"),
        ("play nobody ::1 9", "nobody: no such script; there are abrupt, "),
        ("pictures --model x", "iolab: --model: invalid choice: 'x'"),
        ("docs x", "iolab: unrecognized arguments: x"),
        ("images x", "iolab: unrecognized arguments: x"),
        ("sweep x", "iolab: unrecognized arguments: x"),
        ("clean x", "iolab: unrecognized arguments: x"),
    ],
)
def test_wrong_input_is_one_line_and_status_2(arguments: str, told: str) -> None:
    done = iolab(*arguments.split())
    assert done.returncode == 2
    [line] = (done.stdout + done.stderr).splitlines()
    assert line.startswith(told)
