"""What all records of a playing have in common."""

from __future__ import annotations

import msgspec

# Of the records of a run, in its first one. It grows whenever the judge would misread older ones.
VERSION = 1

Address = tuple[str, int]
"""An IP address and a port."""


class RecordError(Exception):
    """What was to be a record is none, in one line."""


class Record(msgspec.Struct, kw_only=True):
    """`t` in seconds of `CLOCK_MONOTONIC`; `source`: the agent or probe that said it, or `lab`."""

    t: float = 0.0
    source: str = "lab"


class Kind(Record, kw_only=True, tag_field="kind", tag="?"):
    """What the harness itself did or saw; `round`: of the scenario, from 1."""

    round: int = 1


class Event(Record, kw_only=True):
    """What an agent or probe said unasked. Of most events nobody reads more than this."""

    event: str


class Answer(Record, kw_only=True):
    """What an agent or probe answered. Of most ops nobody reads more than this."""

    op: str
    ok: bool


class EventKind(Record, kw_only=True, tag_field="event", tag="?"):
    """An event that the judge reads."""


class AnswerKind(Record, kw_only=True, tag_field="op", tag="?"):
    """An answer, of one op, that the judge reads; without its results where `ok` is false."""

    ok: bool = True
