"""The lab's agent as a load client: it plays scripts and checks every reply, and is written in
Python, so it may be what limits a quick server."""

from __future__ import annotations

import contextlib
import itertools
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bench.errors import Failure
from bench.load.shape import LINE, Connected, Sample, Shape
from bench.machine import cpu_s, pinned
from bench.serving import ADDRESS, Server

_WITHIN_S = 60.0

Step = dict[str, Any]


@dataclass(frozen=True)
class AgentClient:
    """Starts agents on a core. Gives one, connected, to `with`."""

    core: int | None

    @contextlib.contextmanager
    def __call__(self, server: Server, shape: Shape) -> Iterator[Connected]:
        with pinned(self.core):
            process = subprocess.Popen(
                [sys.executable, "-m", "client", "agent"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        with process:
            try:
                running = _Running(process, server, shape)
                running.connect()
                yield running
            finally:
                process.kill()


class _Running:
    def __init__(self, process: subprocess.Popen[str], server: Server, shape: Shape) -> None:
        self._process = process
        self._server = server
        self._shape = shape
        self._numbers = itertools.count(1)
        self._turns = itertools.count(1)

    def connect(self) -> None:
        """Open the idle connections; each has asked once, so it has been accepted."""
        if self._shape.idle:
            asked = {"do": "repeat", "times": 1, "steps": [_question(1)]}
            held = {"do": "hang", "mark": "held"}
            self._play("idle", self._shape.idle, [{"do": "connect"}, asked, held], "held")

    def measure(self, warm_s: float, for_s: float) -> Sample:
        self._turn(warm_s)
        return self._turn(for_s)

    def _turn(self, for_s: float) -> Sample:
        """A fresh group of connections that ask for so long, each to the end of its round."""
        group = f"turn {next(self._turns)}"
        opened: list[Step] = [{"do": "connect"}]
        question: list[Step] = [_question(self._shape.lines)]
        if self._shape.churn:
            question = [*opened, *question, {"do": "close"}]
            opened = []
        ready = {"do": "wait", "go": "ask", "mark": "ready"}
        steps = [*opened, ready, {"do": "repeat", "steps": question}]
        self._play(group, self._shape.active, steps, "ready")
        own, servers = cpu_s(self._process.pid), self._server.cpu_s()
        began = self._ask("go", group=group, signal="ask")["t"]
        time.sleep(for_s)
        ended = self._ask("finish", group=group, within_s=_WITHIN_S)["t"]
        own, servers = cpu_s(self._process.pid) - own, self._server.cpu_s() - servers
        reports = self._ask("report", group=group)["connections"]
        for report in reports:
            if report["outcome"] != "ok":
                raise Failure(f"{self._server.contestant.name}: {report['failure']}")
        return Sample(sum(r["replies"] for r in reports), ended - began, servers, own)

    def _play(self, group: str, count: int, steps: list[Step], mark: str) -> None:
        target = [ADDRESS, self._server.port]
        script = {"step": steps}
        self._ask("play", group=group, script=script, target=target, count=count, log=False)
        self._ask("await", group=group, mark=mark, within_s=_WITHIN_S)

    def _ask(self, op: str, **fields: object) -> dict[str, Any]:
        """One request and its answer; `Failure` if it is refused, or the agent has ended."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        number = next(self._numbers)
        self._process.stdin.write(json.dumps({"id": number, "op": op, **fields}) + "\n")
        self._process.stdin.flush()
        for line in self._process.stdout:
            answer: dict[str, Any] = json.loads(line)
            if answer.get("id") == number:
                if not answer["ok"]:
                    raise Failure(f"{self._server.contestant.name}: {answer['error']}")
                return answer
        raise Failure(f"the agent ended with status {self._process.wait()}")


def _question(lines: int) -> Step:
    """So many lines in one write, and their whole reply."""
    return {"do": "ask", "text": "\n".join(["x" * (LINE - 1)] * lines), "within_s": _WITHIN_S}
