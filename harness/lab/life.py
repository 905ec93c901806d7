"""The subject's own life in a lab: how it is started, limited, stopped, and started again."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace

from iolab.harness.backends.base import SubjectProcess
from iolab.harness.lab.bounds import Bound
from iolab.harness.record.kinds import (
    AskedToStop,
    HeldUp,
    Limit,
    Output,
    Restart,
    Stop,
    Survivors,
    Target,
)

if TYPE_CHECKING:
    from iolab.harness.lab.lab import Lab


class Life:
    """The subject's command as it runs; what is done to it is put on record."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._pod = lab.nodes.pod
        self.process: SubjectProcess | None = None
        self.is_over = False
        self._asked_at = 0.0
        self._throttled: HeldUp | None = None

    def start(self) -> SubjectProcess:
        """Start the subject's command."""
        self._lab.record(Target(address=self._lab.target))
        self.process = self._pod.start_subject(self._lab.probe.channel)
        return self.process

    def start_second(self) -> SubjectProcess:
        """Start the subject's command once more, beside the one that runs."""
        return self._pod.start_subject(self._lab.probe.channel)

    def has_ended(self) -> bool:
        """Whether its main process was started, and has ended."""
        return self.process is not None and self.process.wait(0) is not None

    def start_again(self) -> None:
        """Start the subject anew in place; it must listen at once, and serve new bystanders.

        As at the first start it is ready when it listens where its clients come to; who listened
        there before the start, and still does, does not count.
        """
        lab = self._lab
        begun = time.monotonic()
        old = lab.probe.listeners()
        process = self.start()
        listening = False
        while not listening and process.wait(0.02) is None:
            if time.monotonic() - begun > lab.subject.start_s:
                break
            listening = bool(lab.probe.listeners() - old)
        lab.record(Restart(listening=listening))
        if listening:
            self.is_over = False
            lab.bystanders.gather()

    def stop(self, signal: str) -> None:
        """Send the signal to the subject's main process; from now on it is expected to end."""
        self.is_over = True
        self._asked_at = time.monotonic()
        self._lab.record(AskedToStop(signal=signal))
        self._lab.probe.request("signal", signal=signal, who="main")

    def expect_stop(self, *, by: Bound, asked: str, allowed: Sequence[int] | None) -> None:
        """The subject must end in time since it was asked, with one of the allowed statuses.

        None allows any.

        Who was asked to stop, and not just killed, must take its children along.
        """
        left_s = max(0.0, self._asked_at + by.within_s - time.monotonic())
        status = self.process.wait(left_s) if self.process else None
        self._lab.probe.snapshot("stopped")
        if status is not None and allowed is not None:
            self.look_for_survivors()
        statuses = None if allowed is None else list(allowed)
        self._lab.record(Stop(status=status, within_s=by.within_s, asked=asked, allowed=statuses))

    def look_for_survivors(self) -> bool:
        """Whether processes of the subject outlive its main process, which has ended."""
        survivors, listeners = self._lab.probe.survivors()
        if survivors:
            self._lab.record(Survivors(processes=survivors, listeners=listeners))
        return bool(survivors)

    def limit(self, *, memory: int | None = None, cpus: float | None = None) -> None:
        """Set live limits of the subject, in bytes and in CPUs; None lifts.

        While it has a part of a CPU, it is held up for the rest of the time.
        """
        self._pod.limit(memory=memory, cpus=cpus)
        lab = self._lab
        lab.record(Limit(memory=memory, cpus=cpus))
        now = time.monotonic()
        if self._throttled is not None:
            lab.record(replace(self._throttled, t=0.0, until=now))
            self._throttled = None
        if cpus is not None and cpus < 1:
            self._throttled = HeldUp(since=now, share=1 - cpus, why=f"it has {cpus:g} of a CPU")
            lab.record(self._throttled)

    def hold_output(self, hold: bool) -> None:
        """Nobody reads the subject's output any more, or somebody does again."""
        if self.process:
            self.process.hold_output(hold)
        self._lab.record(Output(held=hold))

    def lines_logged(self) -> int:
        """How many lines of the subject's log have arrived so far."""
        return len(self.process.log()) if self.process else 0
