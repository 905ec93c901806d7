"""The load client in C (`load.c`), told by lines and telling in JSON."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.errors import Failure
from bench.load.shape import LINE, LoadClient, Sample, Shape
from bench.processes import start
from bench.serving import Server


@dataclass(frozen=True)
class CClient:
    """Starts load clients on a core, or wherever there is room (None)."""

    programs: Path
    core: int | None

    @contextlib.contextmanager
    def __call__(self, server: Server, shape: Shape) -> Iterator[LoadClient]:
        form = (shape.active, shape.idle, shape.lines, LINE, int(shape.churn))
        program = str(self.programs / "load")
        words = (program, server.address, server.port, server.pid, *form)
        with start([*map(str, words)], self.core, stderr=subprocess.PIPE) as process:
            try:
                yield _Load(process, server)
            finally:
                process.kill()


class _Load:
    def __init__(self, process: subprocess.Popen[str], server: Server) -> None:
        self.pid = process.pid
        self._process = process
        self._server = server

    def connect(self) -> None:
        self._hear()

    def measure(self, warm_s: float, for_s: float) -> Sample:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{warm_s} {for_s}\n")
        self._process.stdin.flush()
        return Sample(**json.loads(self._hear()))

    def _hear(self) -> str:
        """The next line of the client; `Failure` if it has ended instead."""
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        line = self._process.stdout.readline()
        if not line:
            why = self._process.stderr.read().strip() or f"status {self._process.wait()}"
            raise Failure(f"{self._server.contestant.name}: {why}")
        return line
