"""The structured log: one event a line on standard output, for a program or for a person.

Whoever reads the log may be slow, or stuck; the server must not become so too. `O_NONBLOCK` is no
help: it belongs to the open file description, which other processes may share, and a pipe of
another user cannot be opened anew. So a thread of its own does the blocking writes, and the queue
to it is bounded: what does not fit is counted, and the count is logged once there is room.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from json.encoder import encode_basestring_ascii as _quote
from queue import SimpleQueue

from .stop import start_thread

CAPACITY = 10_000
"""Lines that may wait for a slow reader."""

PAUSE_S = 0.01
"""How long the writer rests between two writes. Waking a thread costs more than writing a line, so
a line that follows closely waits for others; the first after a while is written at once."""

FAREWELL_S = 0.5
"""How long the last lines may take when the server ends."""

Value = str | int | float | None | list[dict[str, str | int]]
_encode = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


def json_line(event: str, fields: dict[str, Value]) -> str:
    """One JSON object; `t` is CLOCK_MONOTONIC in seconds, so that it compares with a probe's."""
    line = f'{{"t":{time.monotonic():.6f},"event":"{event}"'
    for key, value in fields.items():
        # A busy server writes many lines, mostly of numbers and names: those need no encoder.
        if type(value) is int:
            line += f',"{key}":{value}'
        elif type(value) is str:
            line += f',"{key}":{_quote(value)}'
        else:
            line += f',"{key}":{_encode(value)}'
    return line + "}"


def text_line(event: str, fields: dict[str, Value]) -> str:
    """One readable line: the time of day, the event, and its fields."""
    words = " ".join(f"{key}={_word(value)}" for key, value in fields.items() if value is not None)
    return f"{time.strftime('%H:%M:%S')} {event:<15} {words}"


def _word(value: Value) -> str:
    if isinstance(value, str) and value.isprintable() and " " not in value and value:
        return value
    return _encode(value)


class Log:
    """Events, written to the descriptor `fd` by a thread. `form` is json, text or auto."""

    def __init__(self, form: str, fd: int = 1) -> None:
        text = form == "text" or (form == "auto" and os.isatty(fd))
        self._render: Callable[[str, dict[str, Value]], str] = text_line if text else json_line
        self._queue: SimpleQueue[str | None] = SimpleQueue()
        self._dropped = 0
        self._fd = fd
        self._writer = start_thread("log", self._write)

    def event(self, event: str, **fields: Value) -> None:
        """Log one event. Never waits."""
        queue = self._queue
        if queue.qsize() >= CAPACITY:
            self._dropped += 1
            return
        if self._dropped:
            dropped, self._dropped = self._dropped, 0
            queue.put(self._render("log-dropped", {"lines": dropped}))
        queue.put(self._render(event, fields))

    @property
    def waiting(self) -> int:
        """Lines that are not written yet."""
        return self._queue.qsize()

    def close(self) -> None:
        """Write what waits, for at most `FAREWELL_S` seconds."""
        self._queue.put(None)
        self._writer.join(FAREWELL_S)

    def _write(self) -> None:
        queue = self._queue
        ended = False
        while not ended:
            lines = [queue.get()]
            lines += [queue.get() for _ in range(queue.qsize())]  # nobody else takes any
            ended = None in lines
            data = "".join(f"{line}\n" for line in lines if line is not None).encode()
            try:
                while data:
                    data = data[os.write(self._fd, data) :]
            except OSError:
                return  # the reader is gone for good; the queue fills up and stays full
            if not ended:
                time.sleep(PAUSE_S)
