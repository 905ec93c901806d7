"""The lab's agent as a load client: it checks every reply, as the C client does, and is written in
Python, so it may be what limits a quick server."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bench.errors import Failure
from bench.load.agent import WITHIN_S, Agent, Step, agent, question
from bench.load.shape import LoadClient, Sample, Shape
from bench.machine import cpu_s
from bench.serving import Server


@dataclass(frozen=True)
class AgentClient:
    """Starts agents on a core, or wherever there is room (None)."""

    core: int | None

    @contextlib.contextmanager
    def __call__(self, server: Server, shape: Shape) -> Iterator[LoadClient]:
        with agent(server, self.core) as started:
            yield _Load(started, server, shape)


class _Load:
    def __init__(self, started: Agent, server: Server, shape: Shape) -> None:
        self.pid = started.pid
        self._agent = started
        self._server = server
        self._shape = shape

    def connect(self) -> None:
        hang: Step = {"do": "hang", "mark": "held"}
        wait: Step = {"do": "wait", "go": "ask", "mark": "held"}
        asked = question(self._shape.lines)
        rounds: Step = {"do": "repeat", "steps": [asked]}
        if self._shape.churn:
            rounds = {"do": "repeat", "steps": [{"do": "connect"}, asked, {"do": "close"}]}
        for group, count, then in (
            ("idle", self._shape.idle, [hang]),
            ("active", self._shape.active, [wait, rounds]),
        ):
            if count:
                # Each asks once, which shows that it has been accepted.
                self._agent.play(group, count, [{"do": "connect"}, question(), *then], "held")

    def measure(self, warm_s: float, for_s: float) -> Sample:
        self._ask("go", signal="ask")
        time.sleep(warm_s)
        self._ask("pause", within_s=WITHIN_S)
        replies = self._replies()
        own, servers = cpu_s(self.pid), self._server.cpu_s()
        began = self._ask("resume")["t"]
        time.sleep(for_s)
        ended = self._ask("pause", within_s=WITHIN_S)["t"]
        own, servers = cpu_s(self.pid) - own, self._server.cpu_s() - servers
        return Sample(self._replies() - replies, ended - began, servers, own)

    def _replies(self) -> int:
        reports = self._ask("report")["connections"]
        for report in reports:
            if report["failure"] is not None:
                raise Failure(f"{self._server.contestant.name}: {report['failure']}")
        return sum(report["replies"] for report in reports)

    def _ask(self, op: str, **fields: object) -> dict[str, Any]:
        return self._agent.ask(op, group="active", **fields)
