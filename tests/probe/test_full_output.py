"""Whether the pipe that the subject logs to is full, as its owner sees it and as a mere reader."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import cast

import pytest

from iolab.client.fields import Fields
from iolab.harness.beside.probe.conditions.processes import FullOutput
from iolab.harness.beside.probe.view import View

# Writes lines for as long as there is room, says so on its standard error, and stays.
CHATTER = """
import os, sys, time
os.set_blocking(1, False)
try:
    while sys.argv[1] == "all":
        os.write(1, b"x" * 100 + b"\\n")
except BlockingIOError:
    pass
os.write(2, b"done\\n")
time.sleep(1000)
"""


@pytest.fixture(params=[os.O_WRONLY, os.O_RDONLY], ids=["owner", "reader"], autouse=True)
def _opened(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a reader, the pipes may not be opened for writing."""
    real = os.open

    def opened(path: str, flags: int) -> int:
        if request.param == os.O_RDONLY and flags & os.O_ACCMODE == os.O_WRONLY:
            raise PermissionError
        return real(path, flags)

    monkeypatch.setattr(os, "open", opened)


@pytest.fixture
def chatter(request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-c", CHATTER, request.param]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == b"done\n"
        yield process
        process.kill()


def look(process: subprocess.Popen[bytes]) -> tuple[bool, str]:
    view = cast(View, SimpleNamespace(main=SimpleNamespace(pid=process.pid)))
    return FullOutput(cast(Fields, None)).look(view)


@pytest.mark.parametrize("chatter", ["all"], indirect=True)
def test_a_full_pipe_is_full_until_it_is_read(chatter: subprocess.Popen[bytes]) -> None:
    assert look(chatter) == (True, "pipes of its output: is full, has room")
    assert chatter.stdout is not None
    os.read(chatter.stdout.fileno(), 40_000)
    assert look(chatter) == (False, "pipes of its output: has room, has room")


@pytest.mark.parametrize("chatter", ["none"], indirect=True)
def test_an_empty_pipe_has_room(chatter: subprocess.Popen[bytes]) -> None:
    assert look(chatter) == (False, "pipes of its output: has room, has room")
