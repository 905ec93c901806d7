"""A real `python -m iolab lab`, without a terminal or in one of its own."""

from __future__ import annotations

import codecs
import contextlib
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from iolab.harness.backends import choose
from iolab.harness.backends.base import BackendError
from iolab.harness.backends.identity import VARIABLE, new_id

ROOT = Path(__file__).parents[2]
# Nothing here takes a second on a quiet machine; tests run side by side with much else.
WITHIN_S = 60.0

# What a terminal is told besides what it shows (ECMA-48).
_CONTROL = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|[@-Z\\-_])|\r")
_UNFINISHED = re.compile(r"\x1b(\[[0-?]*[ -/]*)?$")


@cache
def backend() -> str:
    """The quickest backend that works here."""
    for name in ("namespaces", "processes"):
        with contextlib.suppress(BackendError):
            choose.backend(name, new_id()).check()
            return name
    return "docker"


def command(*arguments: str) -> list[str]:
    """The command line of a lab."""
    return [sys.executable, "-m", "iolab", "lab", "--backend", backend(), *arguments]


def environment(run_id: str) -> dict[str, str]:
    """Ours, for a lab that has this run's id and is no part of another run."""
    return {**os.environ, VARIABLE: run_id, "COLUMNS": "", "LINES": ""}


def leftovers(run_id: str) -> Sequence[str]:
    """What a run still owns on the machine."""
    return choose.backend(backend(), run_id).leftovers()


class Terminal:
    """A process in a terminal of its own; `size` is its rows and columns."""

    def __init__(
        self, argv: Sequence[str], env: dict[str, str], size: tuple[int, int] = (24, 80)
    ) -> None:
        self._screen, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", *size, 0, 0))
        self.settings = termios.tcgetattr(theirs)
        self._theirs = theirs
        self.shown = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._rest = ""
        self.process = subprocess.Popen(
            argv,
            cwd=ROOT,
            env={**env, "TERM": "xterm-256color"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )

    def type(self, keys: str) -> None:
        """Press these keys."""
        os.write(self._screen, keys.encode())

    def see(self, pattern: str) -> None:
        """Wait until something new on the screen matches."""
        deadline = time.monotonic() + WITHIN_S
        while not (found := re.search(pattern, self.shown)):
            if time.monotonic() > deadline or not self._read(deadline):
                pytest.fail(f"not seen: {pattern!r}; last seen: {self.shown[-2000:]}")
        self.shown = self.shown[found.end() :]

    def ends(self) -> int:
        """Its exit status; all that it showed has been read."""
        deadline = time.monotonic() + WITHIN_S
        while self.process.poll() is None:
            if time.monotonic() > deadline:
                pytest.fail(f"did not end; last seen: {self.shown[-2000:]}")
            self._read(time.monotonic() + 0.1)
        while self._read(time.monotonic()):
            pass
        return self.process.returncode

    def is_as_before(self) -> bool:
        """Whether the terminal's settings are those that it had at first."""
        now: list[Any] = termios.tcgetattr(self._theirs)
        return now == self.settings

    def close(self) -> None:
        """End the process, if it still runs, and the terminal."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._screen)
        os.close(self._theirs)

    def _read(self, deadline: float) -> bool:
        """Take in what the process shows next; False when there was nothing in time."""
        wait = max(0.0, deadline - time.monotonic())
        if not select.select([self._screen], [], [], wait)[0]:
            return False
        text = self._rest + self._decoder.decode(os.read(self._screen, 1 << 16))
        cut = _UNFINISHED.search(text)
        text, self._rest = (text[: cut.start()], cut[0]) if cut else (text, "")
        self.shown += _CONTROL.sub("", text)
        return True


@contextlib.contextmanager
def in_terminal(
    *arguments: str, run_id: str, size: tuple[int, int] = (24, 80)
) -> Iterator[Terminal]:
    """A lab in a terminal; whatever happens, it is ended."""
    terminal = Terminal(command(*arguments), environment(run_id), size)
    try:
        yield terminal
    finally:
        terminal.close()
