"""Programs run step by step: what to run is told apart from how it is waited for.

A plan is a generator that yields commands and is sent their outcomes. The same plan is played
beside the loop while the probe works on (`Runner.start`), and at once when it ends
(`Runner.finish`), when no loop turns any more.
"""

from __future__ import annotations

import os
import subprocess
from collections import deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any

from harness.probe.loop import READ, Loop


@dataclass(frozen=True, slots=True)
class Command:
    """A program, its arguments, what it reads, and one descriptor that it inherits."""

    argv: Sequence[str]
    text: str
    inherit: int
    environment: dict[str, str]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a program wrote, and its exit status: negative for a signal."""

    output: str
    errors: str
    status: int


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
        self._errors = os.fdopen(os.memfd_create("errors"), "w+b")
        with os.fdopen(os.memfd_create("input"), "w+b") as source:
            source.write(command.text.encode())
            source.seek(0)
            try:
                self._process = subprocess.Popen(
                    command.argv,
                    stdin=source,
                    stdout=subprocess.PIPE,
                    stderr=self._errors,
                    env=os.environ | command.environment,
                    pass_fds=(command.inherit,),
                )
            except BaseException:
                self._errors.close()
                raise
        assert self._process.stdout is not None
        self._output = self._process.stdout

    def fileno(self) -> int:
        return self._output.fileno()

    def ended(self) -> bool:
        """Read what is there, once. Whether that was the end of the output."""
        chunk = os.read(self.fileno(), 1 << 16)
        self._chunks.append(chunk)
        return not chunk

    def outcome(self) -> Outcome:
        """Wait for the end. A program that has closed its output is about to end."""
        while not self.ended():
            pass
        status = self._process.wait()
        self._output.close()
        with self._errors:
            self._errors.seek(0)
            errors = self._errors.read().decode(errors="replace").strip()
        return Outcome(b"".join(self._chunks).decode(errors="replace"), errors, status)
