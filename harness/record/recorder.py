"""Collects what was observed in one playing of a scenario, in order: one NDJSON file.

Records of the lab are types (`harness/record/kinds.py`). What agents and probe say comes as lines,
and stays one until somebody judges: nearly all of it is written down and never looked into.
"""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

from iolab.harness.record.base import Record, RecordError
from iolab.harness.record.lines import decoded, encoded

# Of a line that is no record, so many bytes are shown.
SHOWN = 100


class Recorder:
    """Collects records from several threads; `path` gets one line each when it is closed."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self._kept: list[Record | bytes] = []
        self._lock = threading.Lock()

    def add(self, record: Record) -> None:
        """Keep a record; its `t` is now where it has none."""
        record.t = record.t or time.monotonic()
        with self._lock:
            self._kept.append(record)

    def hear(self, source: str, line: bytes) -> None:
        """Keep a line of JSON of an agent or probe, which is not empty and has a `t`."""
        with self._lock:
            self._kept.append(spliced({"source": source}, line))

    def records(self) -> list[Record]:
        """All so far. RecordError where a line that was heard is no record."""
        with self._lock:
            kept = self._kept[:]
        return [_read(one) if isinstance(one, bytes) else one for one in kept]

    def close(self) -> None:
        """Write the file."""
        if self.path is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("wb") as file:
                for one in self._kept:
                    file.write(one if isinstance(one, bytes) else encoded(one))
                    file.write(b"\n")


def _read(line: bytes) -> Record:
    try:
        return decoded(line)
    except RecordError as error:
        raise RecordError(f"what was heard is no record: {error}: {line[:SHOWN]!r}") from None


def spliced(head: dict[str, Any], line: bytes) -> bytes:
    """The JSON object in `line`, which is not empty, with the fields of `head` before its own."""
    return json.dumps(head, separators=(",", ":")).encode()[:-1] + b"," + line[1:]
