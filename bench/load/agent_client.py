"""The lab's agent as a load client: it checks every reply, as the C client does, and is written in
Python, so it may be what limits a quick server."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass

from bench.errors import Failure
from bench.load.agent import WITHIN_S, Agent, Step, agent, question
from bench.load.shape import Connecting, LoadClient, Sample, Shape
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
        self._agent = started
        self._server = server
        self._shape = shape
        self._replies: int | None = None  # so far; None before the first question

    def connect(self) -> Connecting:
        """Open all; each has asked once, and so has been accepted."""
        hang: Step = {"do": "hang", "mark": "held"}
        wait: Step = {"do": "wait", "go": "ask", "mark": "held"}
        asked = question(self._shape.lines)
        rounds: Step = {"do": "repeat", "steps": [asked]}
        if self._shape.churn:
            rounds = {"do": "repeat", "steps": [{"do": "connect"}, asked, {"do": "close"}]}
        began = time.monotonic()
        for group, count, then in (
            ("idle", self._shape.idle, [hang]),
            ("active", self._shape.active, [wait, rounds]),
        ):
            if count:
                self._agent.play(group, count, [{"do": "connect"}, question(1), *then], "held")
        return Connecting(began, time.monotonic())

    def measure(self, warm_s: float, for_s: float) -> Sample:
        if warm_s:
            self._run(warm_s)
        return self._run(for_s)

    def _run(self, for_s: float) -> Sample:
        """Let all ask for so long, each to the end of its round."""
        own, servers = cpu_s(self._agent.pid), self._server.cpu_s()
        if self._replies is None:
            began = self._agent.ask("go", group="active", signal="ask")["t"]
            self._replies = self._shape.active  # when they connected
        else:
            began = self._agent.ask("resume", group="active")["t"]
        time.sleep(for_s)
        ended = self._agent.ask("pause", group="active", within_s=WITHIN_S)["t"]
        own, servers = cpu_s(self._agent.pid) - own, self._server.cpu_s() - servers
        reports = self._agent.ask("report", group="active")["connections"]
        for report in reports:
            if report["failure"] is not None:
                raise Failure(f"{self._server.contestant.name}: {report['failure']}")
        before, self._replies = self._replies, sum(report["replies"] for report in reports)
        return Sample(self._replies - before, ended - began, servers, own)
