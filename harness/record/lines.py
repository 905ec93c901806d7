"""Records as lines of JSON, and back: the one place where what was said becomes a type."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from iolab.harness.record import agent, kinds, probe
from iolab.harness.record.base import (
    VERSION,
    Answer,
    AnswerKind,
    Event,
    EventKind,
    Kind,
    Record,
    RecordError,
)

R = TypeVar("R", bound=msgspec.Struct)


def _tagged(base: type[R]) -> Mapping[str, type[R]]:
    """The types of the registry: every one that derives from `base`, by its tag."""
    return {str(kind.__struct_config__.tag): kind for kind in base.__subclasses__()}


# Reading them in enters them.
SOURCES = (kinds, agent, probe)

KINDS = _tagged(Kind)
EVENTS = _tagged(EventKind)
ANSWERS = _tagged(AnswerKind)


class _Head(msgspec.Struct):
    """What tells the type of a record."""

    kind: str | None = None
    event: str | None = None
    op: str | None = None


class _First(msgspec.Struct):
    """What tells whether a file is a saved playing, and of which version."""

    kind: str
    version: object = None


def encoded(record: Record) -> bytes:
    """A record as a line of JSON, without its end."""
    try:
        return msgspec.json.encode(record)
    except UnicodeEncodeError:  # a lone surrogate, as below
        return json.dumps(msgspec.to_builtins(record, str_keys=True)).encode()


def decoded(line: bytes) -> Record:
    """The record of a line; RecordError says in one line why it is none."""
    head = _read(line, _Head)
    if head.kind is not None:
        if head.kind not in KINDS:
            raise RecordError(f"the kind {head.kind!r} is not known here")
        return _read(line, KINDS[head.kind])
    if head.event is not None:
        return _read(line, EVENTS.get(head.event, Event))
    if head.op is not None:
        return _read(line, ANSWERS.get(head.op, Answer))
    raise RecordError("it has neither `kind` nor `event` nor `op`")


def load(path: Path) -> list[Record]:
    """The records of a saved playing.

    Raises RecordError, with file and line, where it is none, or of another version.
    """
    lines = path.read_bytes().splitlines()
    try:
        first = _read(lines[0] if lines else b"", _First)
    except RecordError as error:
        raise RecordError(f"{path}: is not a record of a playing: {error}") from None
    if first.kind != kinds.Header.__struct_config__.tag:
        raise RecordError(f"{path}: is not a record of a playing: it begins with {first.kind!r}")
    if first.version != VERSION:
        had = "no version" if first.version is None else f"version {first.version!r}"
        raise RecordError(f"{path}: was recorded with {had}; {VERSION} can be read here")
    records = []
    for number, line in enumerate(lines, start=1):
        try:
            records.append(decoded(line))
        except RecordError as error:
            raise RecordError(f"{path}: line {number}: {error}") from None
    return records


def _read(line: bytes, kind: type[R]) -> R:
    try:
        try:
            record: R = _decoder(kind).decode(line)
            return record
        except msgspec.ValidationError:
            raise
        except msgspec.DecodeError:
            # A byte that is no UTF-8 is told as a lone surrogate (os.fsdecode), in a server's log
            # or the name of a thread. Of both readers only the slower one takes it.
            return msgspec.convert(json.loads(line), kind)
    except ValueError as error:  # msgspec's errors are such, too
        raise RecordError(f"{error}") from None


@functools.cache
def _decoder(kind: type[Any]) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)
