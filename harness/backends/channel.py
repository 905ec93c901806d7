"""The NDJSON conversation with a process in a lab (`docs/protocol.md`)."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any

from iolab.harness.backends.base import Process
from iolab.harness.record.recorder import spliced

Message = dict[str, Any]
Listener = Callable[[Message, bytes], None]

# An op answers within its own `within_s`; past that, the process or the pipe is at fault, not the
# subject.
ANSWER_SLACK_S = 20.0


class ChannelError(Exception):
    """The process at the other end refused a request, or no longer answers."""


class Refused(ChannelError):
    """An answer with `ok: false`; `answer` is the whole of it."""

    def __init__(self, who: str, op: str, answer: Message) -> None:
        super().__init__(f"{who}: {op}: {answer.get('error', 'refused without a reason')}")
        self.answer = answer

    @property
    def timed_out(self) -> bool:
        """Whether what was waited for did not come in time (`last` has the last thing seen)."""
        return bool(self.answer.get("timeout"))


class Channel:
    """Requests to, and events from, one agent or probe.

    `listener` is called, from the channel's own reader thread, with every event and every answer
    (`{"op": …, "request": …, **answer}`), in the order in which they came, and with the same as a
    line of JSON.
    """

    def __init__(self, name: str, process: Process, listener: Listener | None = None) -> None:
        self.name = name
        self.process = process
        self._listener = listener or (lambda record, line: None)
        self._ids = itertools.count(1)
        self._lock = threading.Lock()
        self._asked: dict[int, tuple[Message, Future[Message]]] = {}
        self._handlers: dict[str, list[Callable[[Message], None]]] = {}
        self._ready: Future[Message] = Future()
        self._stderr = bytearray()
        self._ended: str | None = None
        self._reader = threading.Thread(target=self._read, name=f"read {name}", daemon=True)
        self._reader.start()

    def on(self, event: str, handler: Callable[[Message], None]) -> None:
        """Call `handler` from the reader thread with every event of that kind from now on."""
        with self._lock:
            self._handlers.setdefault(event, []).append(handler)

    def ready(self, within_s: float = 20.0) -> Message:
        """The process's first event; ChannelError when it ended or said nothing."""
        return self._result(self._ready, "its first line", within_s)

    def send(self, op: str, **fields: object) -> Future[Message]:
        """Ask without waiting; the future holds the answer with `ok: true`, or Refused."""
        number = next(self._ids)
        request: Message = {"id": number, "op": op, **fields}
        future: Future[Message] = Future()
        with self._lock:
            if self._ended is not None:
                raise ChannelError(f"{self.name}: {op}: {self._ended}")
            self._asked[number] = (request, future)
        try:
            self.process.write(json.dumps(request, separators=(",", ":")).encode() + b"\n")
        except OSError as error:
            raise ChannelError(f"{self.name}: {op}: cannot be asked: {error}") from error
        return future

    def request(self, op: str, **fields: object) -> Message:
        """Ask and wait for the answer.

        Raises Refused for `ok: false`, ChannelError when the process ended or does not answer.
        """
        within = fields.get("within_s", 0.0)
        patience = ANSWER_SLACK_S + (within if isinstance(within, int | float) else 0.0)
        return self._result(self.send(op, **fields), op, patience)

    def result(self, future: Future[Message], within_s: float) -> Message:
        """The answer behind `send`, as `request` gives it."""
        return self._result(future, "a request", ANSWER_SLACK_S + within_s)

    def close(self, within_s: float = 10.0) -> None:
        """End of input, and wait until the process has gone and all it said has been read."""
        try:
            self.process.close_input()
        except OSError as error:
            if self._ended is None:
                raise ChannelError(f"{self.name}: cannot be closed: {error}") from error
        self._reader.join(within_s)
        if self._reader.is_alive():
            raise ChannelError(f"{self.name}: did not end within {within_s} s of its end of input")
        if self.process.wait(within_s) is None:
            raise ChannelError(f"{self.name}: closed its output and runs on")

    def _result(self, future: Future[Message], what: str, within_s: float) -> Message:
        try:
            return future.result(within_s)
        except FutureTimeout:
            said = self._stderr.decode("utf-8", "backslashreplace").strip()[-500:]
            raise ChannelError(
                f"{self.name}: {what}: no answer within {within_s:g} s"
                + (f"; it printed: {said}" if said else "")
            ) from None

    def _read(self) -> None:
        buffered = bytearray()
        try:
            while True:
                stream, data = self.process.read()
                if not data:
                    break
                if stream == "stderr":
                    self._stderr += data
                    continue
                buffered += data
                if b"\n" in data:
                    *lines, rest = buffered.split(b"\n")
                    buffered = bytearray(rest)
                    for line in lines:
                        self._take(bytes(line))
            why = "it has ended"
        except (
            Exception
        ) as error:  # whatever broke the pipe must reach those who wait for an answer
            why = f"its output cannot be read: {error!r}"
        if self._stderr:
            tail = self._stderr.decode("utf-8", "backslashreplace").strip()[-500:]
            why += f"; it printed: {tail}"
        with self._lock:
            self._ended = why
            asked, self._asked = self._asked, {}
        for request, future in asked.values():
            future.set_exception(ChannelError(f"{self.name}: {request['op']}: {why}"))
        if not self._ready.done():
            self._ready.set_exception(ChannelError(f"{self.name}: {why}"))

    def _take(self, line: bytes) -> None:
        record = json.loads(line)
        if "event" in record:
            self._listener(record, line)
            with self._lock:
                handlers = tuple(self._handlers.get(record["event"], ()))
            for handler in handlers:
                handler(record)
            if record["event"] == "ready" and not self._ready.done():
                self._ready.set_result(record)
            return
        with self._lock:
            request, future = self._asked.pop(record["id"])
        asked = {"op": request["op"], "request": request}
        self._listener({**record, **asked}, spliced(asked, line))
        if record["ok"]:
            future.set_result(record)
        else:
            future.set_exception(Refused(self.name, request["op"], record))
