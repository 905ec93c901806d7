"""Programs run step by step: what to run is told apart from how it is waited for.

A plan is a generator that yields commands and is sent their outcomes. The same plan is played
beside the loop while the probe works on (`Runner.start`), and at once when it ends
(`Runner.finish`), when no loop turns any more.
"""

from __future__ import annotations

import os
import signal
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

from iolab.harness.beside.loop import READ, Loop

INHERITED = 3


@dataclass(frozen=True, slots=True)
class Command:
    """A program (its path first), what it reads, and a descriptor that it has as `INHERITED`."""

    argv: list[str]
    text: str
    inherit: int
    environment: dict[str, str]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a program wrote, its complaints in one line, and its exit status.

    The status is negative for a signal, and None when somebody else has taken it: success has to be
    seen by what the program was to bring about.
    """

    output: str
    errors: str
    status: int | None


Plan = Generator[Command, Outcome, Any]
Done = Callable[[Any], None]
Failed = Callable[[Exception], None]


class Runner:
    """Plays plans one after the other, in the order in which they were given."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._waiting: deque[tuple[Plan, Done, Failed]] = deque()
        self._running: _Process | None = None
        self._busy = False

    def start(self, plan: Plan, done: Done, failed: Failed) -> None:
        """Play the plan after those before it; then call `done(its result)` or `failed(error)`."""
        self._waiting.append((plan, done, failed))
        if not self._busy:
            self._next()

    def finish(self, plan: Plan) -> Any:
        """Drop all that waits, let the running program end, and play this plan to its end."""
        self._waiting.clear()
        if self._running is not None:
            self._loop.unregister(self._running.fileno())
            self._running.outcome()
            self._running = None
        try:
            command = next(plan)
            while True:
                command = plan.send(_Process(command).outcome())
        except StopIteration as stop:
            return stop.value

    def _next(self) -> None:
        self._busy = bool(self._waiting)
        if self._busy:
            self._step(*self._waiting.popleft(), outcome=None)

    def _step(self, plan: Plan, done: Done, failed: Failed, *, outcome: Outcome | None) -> None:
        try:
            command = next(plan) if outcome is None else plan.send(outcome)
            process = _Process(command)
        except StopIteration as stop:
            done(stop.value)
            self._next()
            return
        except Exception as error:
            failed(error)
            self._next()
            return
        self._running = process

        def readable(_: int) -> None:
            if process.ended():
                self._loop.unregister(process.fileno())
                self._running = None
                self._step(plan, done, failed, outcome=process.outcome())

        self._loop.register(process.fileno(), READ, readable)


class _Process:
    """A program under way. Its input and its errors are memory files: neither can block it."""

    def __init__(self, command: Command) -> None:
        self._chunks: list[bytes] = []
        self._errors = _memory_file(b"")
        source = _memory_file(command.text.encode())
        self._output, output = os.pipe()
        try:
            self._pid = os.posix_spawn(
                command.argv[0],
                command.argv,
                {**os.environ, **command.environment},
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, source, 0),
                    (os.POSIX_SPAWN_DUP2, output, 1),
                    (os.POSIX_SPAWN_DUP2, self._errors, 2),
                    (os.POSIX_SPAWN_DUP2, command.inherit, INHERITED),
                ],
                setsigdef=[signal.SIGPIPE],  # which Python itself ignores
            )
        except OSError:
            os.close(self._output)
            os.close(self._errors)
            raise
        finally:
            os.close(source)
            os.close(output)

    def fileno(self) -> int:
        return self._output

    def ended(self) -> bool:
        """Read what is there, once. Whether that was the end of the output."""
        chunk = os.read(self._output, 1 << 16)
        self._chunks.append(chunk)
        return not chunk

    def outcome(self) -> Outcome:
        """Wait for the end. A program that has closed its output is about to end."""
        while not self.ended():
            pass
        try:
            _, status = os.waitpid(self._pid, 0)
        except ChildProcessError:
            code = None  # the probe, which reaps every child of its own, was quicker
        else:
            code = os.waitstatus_to_exitcode(status)
        os.close(self._output)
        os.lseek(self._errors, 0, os.SEEK_SET)
        with os.fdopen(self._errors, "rb") as errors:
            complaint = " ".join(errors.read().decode(errors="replace").split())
        return Outcome(b"".join(self._chunks).decode(errors="replace"), complaint, code)


def _memory_file(content: bytes) -> int:
    descriptor = os.memfd_create("command")
    os.write(descriptor, content)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor
