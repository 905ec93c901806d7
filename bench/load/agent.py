"""One agent of the lab as a process of ours, and the conversation with it (`docs/protocol.md`)."""

from __future__ import annotations

import contextlib
import itertools
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from bench.errors import Failure
from bench.load.shape import LINE
from bench.processes import start
from bench.serving import Server

WITHIN_S = 60.0

Step = dict[str, Any]


class Agent:
    """Plays scripts against one server."""

    def __init__(self, process: subprocess.Popen[str], server: Server) -> None:
        self.pid = process.pid
        self._process = process
        self._server = server
        self._numbers = itertools.count(1)

    def play(self, group: str, count: int, steps: list[Step], mark: str) -> None:
        """Play the steps on so many connections, and wait until all have come to the mark."""
        target = [self._server.address, self._server.port]
        script = {"step": steps}
        self.ask("play", group=group, script=script, target=target, count=count, log=False)
        self.ask("await", group=group, mark=mark, within_s=WITHIN_S)

    def ask(self, op: str, **fields: object) -> dict[str, Any]:
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


@contextlib.contextmanager
def agent(server: Server, core: int | None = None) -> Iterator[Agent]:
    """Start one on a core, or wherever there is room; its connections end with it."""
    with start([sys.executable, "-m", "iolab.client", "agent"], core) as process:
        try:
            yield Agent(process, server)
        finally:
            process.kill()


def question(lines: int = 1) -> Step:
    """So many lines in one write, and their whole reply."""
    return {"do": "ask", "text": "\n".join(["x" * (LINE - 1)] * lines), "within_s": WITHIN_S}
