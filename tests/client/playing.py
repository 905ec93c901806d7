"""Plays scripts inside the test, and drives an agent beside it."""

from __future__ import annotations

import json
import select
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from iolab.client.group import Group, Outcome
from iolab.client.loop import Alarm, Loop
from iolab.client.payload import Reply
from iolab.client.player import Setting
from iolab.client.script import read_script
from tests.client.servers import Address

ROOT = Path(__file__).parents[2]
DEADLINE_S = 40.0

Report = dict[str, Any]
Message = dict[str, Any]


def play(
    target: Address,
    *steps: dict[str, Any],
    count: int = 1,
    reply: Reply = "echo",
    bind: Address | None = None,
    act: Callable[[Group, Loop], None] | None = None,
) -> list[Report]:
    """Play the steps to their end on `count` connections; their reports.

    `act` is called once all are under way, to say `go` or the like.
    """
    loop = Loop()
    setting = Setting(loop, read_script({"step": steps}, "test"), target, bind, reply)
    group = Group("g", setting, count, None)
    ends: list[Outcome] = []

    def end(outcome: Outcome) -> None:
        ends.append(outcome)
        loop.stop()

    def started() -> None:
        if act is not None:
            act(group, loop)
        group.watch("ended", None, DEADLINE_S, "played", end)

    group.start(started)
    if not ends:
        loop.run()
    loop.close()
    reports = group.report()
    group.drop()
    if ends[0].error is not None:
        pytest.fail(ends[0].error)
    return reports


def play_one(target: Address, *steps: dict[str, Any], **options: Any) -> Report:
    """The report of one connection that has played the steps."""
    [report] = play(target, *steps, **options)
    return report


def after(loop: Loop, seconds: float, call: Callable[[], object]) -> None:
    """Call from the loop in so many seconds."""
    Alarm(loop, call).set(time.monotonic() + seconds)


class Agent:
    """An agent in a process of its own, and the events that it has told."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "iolab.client", "agent"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.events: list[Message] = []
        self._rest = b""
        self._number = 0
        self.ready = self._read()

    def write(self, line: bytes) -> None:
        """Write a raw line."""
        assert self.process.stdin is not None
        self.process.stdin.write(line + b"\n")
        self.process.stdin.flush()

    def post(self, op: str, **fields: Any) -> int:
        """Send a request without waiting; its number."""
        self._number += 1
        self.write(json.dumps({"id": self._number, "op": op, **fields}).encode())
        return self._number

    def answer(self, number: int | None) -> Message:
        """The answer to a request; events that come before it are kept."""
        while True:
            message = self._read()
            if "event" not in message and message["id"] == number:
                return message
            self.events.append(message)

    def ask(self, op: str, **fields: Any) -> Message:
        """Send a request and return its answer, which must be ok."""
        answer = self.answer(self.post(op, **fields))
        assert answer["ok"], answer
        return answer

    def refuse(self, op: str, **fields: Any) -> str:
        """Send a request that must be refused; the error."""
        answer = self.answer(self.post(op, **fields))
        assert not answer["ok"], answer
        return str(answer["error"])

    def event(self) -> Message:
        """The next message, which must be an event."""
        message = self._read()
        assert "event" in message, message
        return message

    def is_silent_for(self, seconds: float) -> bool:
        """Whether it says nothing for so long."""
        assert self.process.stdout is not None
        return not select.select([self.process.stdout], [], [], seconds)[0]

    def close(self) -> int:
        """End its input; its exit status."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        status = self.process.wait(DEADLINE_S)
        self.process.stdout.close()
        return status

    def _read(self) -> Message:
        assert self.process.stdout is not None
        descriptor = self.process.stdout
        while b"\n" not in self._rest:
            ready, _, _ = select.select([descriptor], [], [], DEADLINE_S)
            if not ready:
                pytest.fail(
                    f"no line from the agent in {DEADLINE_S:g} s; last: {self._rest!r:.200}"
                )
            data = descriptor.read1(1 << 20)  # type: ignore[attr-defined]
            if not data:
                pytest.fail(f"the agent has ended; events: {self.events[-3:]}")
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        message: Message = json.loads(line)
        return message
