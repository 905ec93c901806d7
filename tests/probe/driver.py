"""Drives a probe that runs as a process of its own, as the harness would."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

from tests.waiting import PATIENCE_S, wait_until

Message = dict[str, Any]

ROOT = Path(__file__).parents[2]
SUBJECTS = Path(__file__).with_name("subjects.py")


class Refused(Exception):
    """An answer with `ok: false`."""

    def __init__(self, answer: Message) -> None:
        super().__init__(answer["error"])
        self.answer = answer


class Driver:
    """One probe: requests, answers, events."""

    def __init__(self, wrapper: Sequence[str] = ()) -> None:
        """`wrapper` is put before the command, `unshare …` for example."""
        self.process = subprocess.Popen(
            [*wrapper, sys.executable, "-m", "iolab.harness.beside.probe"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=ROOT,
        )
        self._stdin = _pipe(self.process.stdin)
        self._stdout = _pipe(self.process.stdout)
        self._stderr = _pipe(self.process.stderr)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._stdout, selectors.EVENT_READ)
        self._received = b""
        self._messages: list[Message] = []
        self._number = 0
        self._printed: dict[int, str] = {}  # by process: what follows the last line taken
        self.ready = self.event("ready")

    def close(self) -> str:
        """End its input, see it end, and give what it printed to standard error."""
        if not self._stdin.closed:
            self._stdin.close()
        self.process.wait(PATIENCE_S)
        said = self._stderr.read().decode()
        self._stdout.close()
        self._stderr.close()
        self._selector.close()
        return said

    def write(self, line: bytes) -> None:
        """Send bytes as they are."""
        self._stdin.write(line)
        self._stdin.flush()

    def send(self, op: str, **fields: Any) -> int:
        """Ask without waiting for the answer; gives the request's number."""
        self._number += 1
        self.write(json.dumps({"id": self._number, "op": op} | fields).encode() + b"\n")
        return self._number

    def answer(self, number: int | None) -> Message:
        """The answer to that request, good or bad."""
        return self._next(lambda message: "ok" in message and message["id"] == number)

    def ask(self, op: str, **fields: Any) -> Message:
        """The answer to a request. Raises Refused when it is `ok: false`."""
        answer = self.answer(self.send(op, **fields))
        if not answer["ok"]:
            raise Refused(answer)
        return answer

    def event(self, name: str, **having: Any) -> Message:
        """The next event of that name with these values."""
        return self._next(
            lambda message: (
                message.get("event") == name
                and all(message.get(key) == value for key, value in having.items())
            )
        )

    def snapshot(self, port: int | None = None) -> Message:
        """A snapshot."""
        return dict(self.ask("snapshot", port=port)["snapshot"])

    def wait(self, condition: Message, within_s: float = PATIENCE_S) -> Message:
        """The snapshot of the moment when the condition held."""
        return dict(self.ask("wait", condition=condition, within_s=within_s)["snapshot"])

    def subject(self, name: str, *arguments: object, **spawn: Any) -> tuple[int, int]:
        """Start one of the subjects; gives its process and the port on which it listens."""
        argv = [sys.executable, str(SUBJECTS), name, *map(str, arguments)]
        pid = self.ask("spawn", argv=argv, **spawn)["pid"]
        port = int(self.line(pid))
        self.wait({"listening": port})
        return pid, port

    def alone(self, pid: int) -> Message:
        """That process, once it is all that is left of the subject."""
        (found,) = wait_until(
            f"process {pid} to be all that is left",
            lambda: self.snapshot()["processes"],
            holds=lambda found: [one["pid"] for one in found] == [pid],
        )
        return dict(found)

    def line(self, pid: int) -> str:
        """The next line that a spawned process prints."""
        text = self._printed.pop(pid, "")
        while "\n" not in text:
            text += self.event("output", pid=pid, stream="stdout")["data"]
        line, _, self._printed[pid] = text.partition("\n")
        return line

    def _next(self, wanted: Callable[[Message], bool]) -> Message:
        deadline = time.monotonic() + 2 * PATIENCE_S  # a `wait` may take all its patience
        looked = 0
        while True:
            for at in range(looked, len(self._messages)):
                if wanted(self._messages[at]):
                    return self._messages.pop(at)
            looked = len(self._messages)
            if not self._selector.select(max(0.0, deadline - time.monotonic())):
                raise AssertionError(f"it did not come; what did: {self._messages}")
            self._read()

    def _read(self) -> None:
        piece = os.read(self._stdout.fileno(), 1 << 16)
        if not piece:
            raise AssertionError(f"the probe has ended; it said: {self._stderr.read().decode()}")
        *lines, self._received = (self._received + piece).split(b"\n")
        self._messages += map(json.loads, lines)


def _pipe(end: IO[bytes] | None) -> IO[bytes]:
    assert end is not None
    return end
