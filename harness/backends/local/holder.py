"""The harness's end of a holder: the process that makes labs for one worker of the run."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence

from iolab.harness.backends import identity
from iolab.harness.backends.base import BackendError
from iolab.harness.backends.local import messages
from iolab.harness.backends.local.descendants import command_lines, descendants
from iolab.harness.backends.local.messages import Message
from iolab.harness.places import ROOT

ENDED_WITHIN_S = 10.0
_LOOK_AGAIN_S = 0.02


class HolderRefused(BackendError):
    """What was asked of the holder cannot be done on this machine: one line."""


class Holder:
    """Starts the holder's program, and asks it for things."""

    def __init__(self, module: str, run_id: str) -> None:
        """Start `python -m module CONTROL RUN-ENDS LABEL`; HolderRefused when it says it cannot.

        CONTROL is the descriptor of its control socket, RUN-ENDS one that is readable once the
        run's main process has ended, and LABEL begins the name of all that it makes.
        """
        self.label = f"{label(run_id)}{os.getpid()}"
        self._asking = threading.Lock()
        self._control, theirs = messages.pair()
        main = os.pidfd_open(_main_process(run_id))
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, str(theirs.fileno()), str(main), self.label],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno(), main],
                cwd=ROOT,
                start_new_session=True,  # Ctrl-C is for the harness, which then ends us in order
            )
        os.close(main)
        try:
            self.facts = self._answer()[0]
        except HolderRefused:
            self.close()
            raise

    def ask(self, op: str, descriptors: Sequence[int] = (), **fields: object) -> list[int]:
        """Ask, wait, and give the answer's descriptors. Raises HolderRefused."""
        with self._asking:
            with contextlib.suppress(BrokenPipeError):  # it has ended, as the answer will tell
                messages.send(self._control, {"op": op, **fields}, descriptors)
            return self._answer()[1]

    def close(self) -> None:
        """End it and all that it made; returns when that was seen."""
        self._control.close()
        self._process.wait(ENDED_WITHIN_S)

    def _answer(self) -> tuple[Message, list[int]]:
        received = messages.receive(self._control)
        if received is None:
            status = self._process.wait(ENDED_WITHIN_S)
            raise HolderRefused(f"the process that holds the labs has ended (status {status})")
        if "refused" in received[0]:
            raise HolderRefused(received[0]["refused"])
        return received


def label(run_id: str) -> str:
    """What begins the name of all that a run makes."""
    return f"iolab.{run_id}."


def run_of(name: str) -> str:
    """The run that made what is so named."""
    return name.split(".")[1]


def processes_of(run_id: str) -> dict[int, str]:
    """The command lines of a run's holders and of all that descends from them, by PID."""
    holders = [pid for pid, line in command_lines().items() if label(run_id) in line]
    # An init, an agent and a probe are forks of the holder and have its command line.
    pids = set(holders).union(*(descendants(pid) for pid in holders))
    return {pid: line for pid, line in command_lines().items() if pid in pids}


def await_end_of(run_id: str) -> None:
    """Wait until no process of a run is left; BackendError with those that are."""
    deadline = time.monotonic() + ENDED_WITHIN_S
    while left := processes_of(run_id):
        if time.monotonic() > deadline:
            raise BackendError(f"of run {run_id} these processes did not end: {left}")
        time.sleep(_LOOK_AGAIN_S)


def _main_process(run_id: str) -> int:
    """The run's main process, which its id names first; the caller, for an id that names none."""
    return int(run_id.partition("-")[0]) if identity.alive(run_id) else os.getpid()
