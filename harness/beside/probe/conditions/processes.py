"""Conditions on the subject's processes: alive, stopped, idle, and how much they hold open."""

from __future__ import annotations

import fcntl
import os
import select
import stat
import struct
import termios
from collections import deque
from collections.abc import Iterator

from iolab.client import fields
from iolab.client.fields import Fields
from iolab.harness.beside.probe import processes
from iolab.harness.beside.probe.conditions.base import Condition, Seen, brief
from iolab.harness.beside.probe.view import View

SHARE = fields.number("a share of one CPU, 0 or more")

# A piece that does not fit into the rest of a page begins the next one, which may cost half of all.
_FULL_SHARE = 1 / 2


class Exited(Condition):
    """No process of the subject is left; zombies that nobody has reaped do count."""

    def __init__(self, data: Fields) -> None: ...

    def look(self, view: View) -> Seen:
        if not view.processes and not view.subject.seen:
            return Seen(False, "no process of the subject has been seen yet")
        left = [f"{one.pid} ({one.name}, {one.state})" for one in view.processes]
        return Seen(not left, f"processes left: {brief(left) or 'none'}")


class MainExited(Condition):
    """The main process was there and has ended; its children may go on."""

    def __init__(self, data: Fields) -> None: ...

    def look(self, view: View) -> Seen:
        main = view.main
        if not view.subject.main_seen:
            return Seen(False, "no main process has been seen yet")
        return Seen(main is None, f"main process: {main.pid if main else 'ended'}")


class Stopped(Condition):
    """Every thread of every process of the subject is stopped."""

    def __init__(self, data: Fields) -> None: ...

    def look(self, view: View) -> Seen:
        moving = {}
        for one in view.living:
            try:
                if not processes.stands(one.pid):
                    moving[one.pid] = processes.states(one.pid)
            except processes.GONE:
                continue
        if not view.living:
            return Seen(False, "there is no process to be stopped")
        seen = brief([f"{pid} ({states})" for pid, states in moving.items()])
        return Seen(not moving, f"not stopped: {seen or 'none'}")


class FullOutput(Condition):
    """A pipe that the main process writes to has no page left: who writes there must wait.

    Of another user's pipe it is only seen that half of it is taken, and so that nobody reads.
    """

    def __init__(self, data: Fields) -> None: ...

    def look(self, view: View) -> Seen:
        full = [_is_full(pipe) for pipe in _output(view)]
        told = ", ".join("is full" if is_full else "has room" for is_full in full)
        return Seen(any(full), f"pipes of its output: {told or 'no pipe'}")


def _output(view: View) -> Iterator[int]:
    """The pipes of the main process's standard output and errors, opened for one look each."""
    if view.main is None:
        return
    for number in (1, 2):
        try:
            pipe = _opened(f"/proc/{view.main.pid}/fd/{number}")
        except OSError:
            continue
        try:
            if stat.S_ISFIFO(os.fstat(pipe).st_mode):
                yield pipe
        finally:
            os.close(pipe)


def _opened(path: str) -> int:
    try:
        return os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    except PermissionError:  # another user's pipe, as in a container: we may read anything
        return os.open(path, os.O_RDONLY | os.O_NONBLOCK)


def _is_full(pipe: int) -> bool:
    """The kernel says it to whoever may write; a reader has to count the bytes."""
    if fcntl.fcntl(pipe, fcntl.F_GETFL) & os.O_ACCMODE == os.O_WRONLY:
        return not select.select([], [pipe], [], 0)[1]
    held = struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)))[0]
    return bool(held >= _FULL_SHARE * fcntl.fcntl(pipe, fcntl.F_GETPIPE_SZ))


class Descriptors(Condition):
    """The subject holds at most so many descriptors, all processes together."""

    def __init__(self, data: Fields) -> None:
        self._most = data.take("at_most", fields.COUNT)

    def look(self, view: View) -> Seen:
        if view.unreadable:
            raise view.unreadable
        number = sum(
            len(opened)
            for opened in view.descriptors.values()
            if not isinstance(opened, PermissionError)
        )
        return Seen(number <= self._most, f"{number} descriptors are open")


class Idle(Condition):
    """For so long, the subject wanted at most such a share of one CPU.

    What it waited for on the run queue counts like what it got: on a busy machine a server that
    spins gets little. The kernel adds such a wait to its sum only once it is over, so one that goes
    on is counted by the clock.
    """

    def __init__(self, data: Fields) -> None:
        self._for_s = data.take("for_s", fields.SECONDS)
        self._most = data.take("cpu_share_at_most", SHARE)
        self._used_s = 0.0
        self._last: dict[int, float] = {}
        self._moved: dict[
            int, tuple[float, float]
        ] = {}  # the kernel's sum, and since when it is so
        self._looks: deque[tuple[float, float]] = deque()  # time, CPU seconds used up to then

    def look(self, view: View) -> Seen:
        now: dict[int, float] = {}
        for one in view.living:
            try:
                summed = processes.cpu_s(one.pid) + processes.queued_s(one.pid)
            except ProcessLookupError:
                continue
            if self._moved.get(one.pid, (-1.0,))[0] != summed:
                self._moved[one.pid] = (summed, view.t)
            waiting = view.t - self._moved[one.pid][1] if one.state == processes.RUNNABLE else 0.0
            now[one.pid] = summed + waiting
        if self._looks:
            self._used_s += sum(used - self._last.get(pid, 0.0) for pid, used in now.items())
        self._last = now
        self._looks.append((view.t, self._used_s))
        # Keep one look that is old enough to span the time asked for.
        while len(self._looks) > 1 and self._looks[1][0] <= view.t - self._for_s:
            self._looks.popleft()
        since, used = self._looks[0]
        span_s = view.t - since
        if span_s < self._for_s or not span_s:
            return Seen(False, f"watched for {span_s:.3f} s so far")
        share = (self._used_s - used) / span_s
        return Seen(
            share <= self._most, f"{share:.4f} of a CPU wanted over the last {span_s:.3f} s"
        )
