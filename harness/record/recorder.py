"""What was observed in one playing of a scenario: plain records, kept in order, one NDJSON file.

Every record has `t` (seconds of `CLOCK_MONOTONIC`) and `source`: the agent or probe that said it,
or `lab` for what the harness itself did. Records of agents and probe are theirs, word for word
(`docs/protocol.md`); records of the lab have a `kind`:

| kind | says |
| --- | --- |
| `scenario` | first of all: what is played, against whom, and what the subject promises |
| `group` | a group of connections begins: `must` says what is demanded of its replies |
| `target` | where the subject is reached |
| `bystanders` | the healthy clients have connected; their `groups` |
| `deaf` | the subject did not listen in time; `elsewhere`: not where its clients come to |
| `unstartable` | the subject's command cannot be started |
| `astray` | these `words` of its command name files that are not in the `folder` in which it runs |
| `death` | the subject ended by itself, and what it `left` goes on: who, and where it `listens` |
| `trigger` | from here on the subject must act; in a quiet playing nobody speaks any more |
| `unready` | a group did not come to where the scenario wanted it before it began |
| `survivors` | processes of the subject that outlived its main process |
| `restart` | the subject was started again: `listening` or not |
| `second` | how a second instance on the same port fared |
| `policy` | a choice that is the subject's own |
| `proof` | a circumstance that the scenario's name claims was (`held`) or was not shown |
| `fault` | a fault was injected or healed, with the evidence |
| `removal` | these connections must be gone; `held` says whether the probe saw that in time |
| `kept` | these connections must still be there |
| `settled` | after a round only bystanders may be left; `held`, `calm` (CPU) and the snapshot |
| `growth` | resident memory while much was offered to the subject |
| `excuse` | the lab itself held up the subject for so long |
| `stop` | the subject was told to end, or its end was awaited |
| `figure` | a measured number for the report |
| `aborted` | the scenario could not go on |
| `end` | last of all: the subject's exit status, its log and what the harness is unsure of |
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Record = dict[str, Any]


class Recorder:
    """Collects records from several threads; `path` gets one line each when it is closed."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self.records: list[Record] = []
        self._lines: list[bytes] = []
        self._lock = threading.Lock()

    def add(self, source: str, record: Record, line: bytes = b"") -> Record:
        """Keep a record; `t` is now where the source gave none.

        `line` is the same as JSON, where somebody has it: long ones take long to write anew.
        """
        head = {"source": source} if "t" in record else {"t": time.monotonic(), "source": source}
        kept = {**head, **record}
        with self._lock:
            self.records.append(kept)
            if self.path is not None:
                self._lines.append(spliced(head, line) if line else _json(kept))
        return kept

    def close(self) -> None:
        """Write the file."""
        if self.path is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_bytes(b"".join(line + b"\n" for line in self._lines))


def spliced(head: Record, line: bytes) -> bytes:
    """The JSON object in `line`, which is not empty, with the fields of `head` before its own."""
    return _json(head)[:-1] + b"," + line[1:]


def _json(record: Record) -> bytes:
    return json.dumps(record, separators=(",", ":")).encode()


def load(path: Path) -> list[Record]:
    """The records of a saved playing."""
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def of_kind(records: list[Record], *kinds: str) -> Iterator[Record]:
    """The lab's records of these kinds, in order."""
    return (record for record in records if record.get("kind") in kinds)
