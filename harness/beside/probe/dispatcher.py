"""Requests in, answers and events out: NDJSON on two descriptors, as `docs/protocol.md` has it.

Handlers run one after the other, in the loop's thread; one that must wait returns a `Reply`, and
the next request is worked on meanwhile. Nothing here ever blocks on a harness that does not read:
what it has not taken yet waits in memory.
"""

from __future__ import annotations

import json
import os
import select
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from typing import Any

from iolab.client.fields import Invalid
from iolab.harness.beside.loop import READ, WRITE, Loop
from iolab.harness.beside.ops import Handler, Reply, RequestError, Results, refusal
from iolab.harness.beside.probe.lateness import Lateness

LINE_MAX = 16 * 1024 * 1024
_PIECE = 1 << 16


class Dispatcher:
    """One NDJSON conversation. `on_end` is called when the other side has gone."""

    def __init__(self, loop: Loop, requests: int, answers: int, on_end: Callable[[], None]) -> None:
        """`requests` and `answers` are descriptors to read from and write to."""
        self._loop = loop
        self._requests = requests
        self._answers = answers
        self._on_end = on_end
        self._ops: dict[str, Handler] = {}
        self._received = bytearray()
        self._skipping = False  # inside a line that is too long
        self._unsent = bytearray()
        self._lateness = Lateness(loop, self.emit)
        loop.register(requests, READ, self._read)

    def offer(self, ops: Mapping[str, Handler]) -> None:
        """Add ops. Raises ValueError when a name is taken."""
        for name, handler in ops.items():
            if name in self._ops:
                raise ValueError(f"op {name} is offered twice")
            self._ops[name] = handler

    def emit(self, event: dict[str, Any]) -> None:
        """Send an unasked event; its `t` is now, unless it says when it happened."""
        self._send({"t": time.monotonic()} | event)

    def _read(self, ready: int) -> None:
        piece = os.read(self._requests, _PIECE)
        if not piece:
            self._loop.unregister(self._requests)
            self._on_end()
            return
        self._received += piece
        lines = []
        if b"\n" in piece:
            *lines, self._received = self._received.split(b"\n")
        for line in lines:
            if not self._skipping:
                self._take(line)
            self._skipping = False
        if len(self._received) > LINE_MAX:
            if not self._skipping:
                self._take(self._received)
            self._skipping = True
            self._received.clear()

    def _take(self, line: bytearray) -> None:
        if len(line) > LINE_MAX:
            self._refuse(None, f"line: is longer than {LINE_MAX} bytes")
            return
        try:
            request = json.loads(line)
        except ValueError as error:
            self._refuse(None, f"line: is not JSON in UTF-8 ({error})")
            return
        if not isinstance(request, dict):
            self._refuse(None, f"line: must be an object, not {bytes(line[:80])!r}")
            return
        number = request.get("id")
        if type(number) is not int:
            self._refuse(None, f"`id` must be an integer, not {number!r}", {"field": "id"})
            return
        name = request.get("op")
        handler = self._ops.get(name) if isinstance(name, str) else None
        if handler is None:
            allowed = ", ".join(sorted(self._ops))
            wrong = Invalid(f"must be one of {allowed}, not {name!r}", field="op", allowed=allowed)
            self._answer(number, refusal(wrong))
            return
        self._work(number, handler, {k: v for k, v in request.items() if k not in ("id", "op")})

    def _work(self, number: int, handler: Handler, fields: dict[str, Any]) -> None:
        try:
            outcome: Results | Reply | RequestError = handler(fields)
        except RequestError as error:
            outcome = error
        except Invalid as error:
            outcome = refusal(error)
        except Exception as error:
            # A mistake of the probe's, not of the request: told to both sides, and the probe goes
            # on, because ending it would end the subject as well and hide what was seen so far.
            traceback.print_exc(file=sys.stderr)
            outcome = RequestError(f"the probe failed: {type(error).__name__}: {error}")
        if isinstance(outcome, Reply):
            outcome.deliver_to(lambda later: self._answer(number, later))
        else:
            self._answer(number, outcome)

    def _answer(self, number: int, outcome: Results | RequestError) -> None:
        if isinstance(outcome, RequestError):
            self._refuse(number, str(outcome), outcome.results)
        else:
            self._send(self._frame(number, True) | outcome)

    def _refuse(
        self, number: int | None, error: str, results: Mapping[str, Any] | None = None
    ) -> None:
        self._send(self._frame(number, False) | {"error": error} | dict(results or {}))

    def _frame(self, number: int | None, ok: bool) -> dict[str, Any]:
        late_s = self._lateness.take()
        return {"id": number, "t": time.monotonic(), "ok": ok, "late_s": late_s}

    def _send(self, message: dict[str, Any]) -> None:
        if not self._unsent:
            self._loop.register(self._answers, WRITE, self._write)
        self._unsent += json.dumps(message, separators=(",", ":")).encode() + b"\n"

    def _write(self, ready: int) -> None:
        # A pipe that is writable takes PIPE_BUF bytes without blocking (pipe(7)). Setting
        # O_NONBLOCK instead would change the descriptor for whoever shares it, a terminal say.
        try:
            sent = os.write(self._answers, memoryview(self._unsent)[: select.PIPE_BUF])
        except BrokenPipeError:
            self._loop.unregister(self._answers)
            self._on_end()
            return
        del self._unsent[:sent]
        if not self._unsent:
            self._loop.unregister(self._answers)
