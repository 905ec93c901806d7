"""The kinds of record: each goes through its line and comes back, and stands in the docs."""

from __future__ import annotations

import errno
import json
import types
from collections.abc import Mapping
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
import pytest

from iolab.client import failure
from iolab.harness.judge.owed import DEBTS, FAILURES
from iolab.harness.pages import records as page
from iolab.harness.record.agent import FailureKind
from iolab.harness.record.base import Answer, Event, Record, RecordError
from iolab.harness.record.kinds import Must, Proof
from iolab.harness.record.lines import ANSWERS, EVENTS, KINDS, decoded, encoded
from iolab.harness.record.probe import Late
from iolab.harness.record.recorder import Recorder

EVERY: Mapping[str, type[Any]] = {**KINDS, **EVENTS, **ANSWERS}

# A byte that is no UTF-8, as logs and names of threads have it.
ODD = "空山 \udcff"

PLAIN: Mapping[Any, Any] = {str: ODD, int: 7, float: 0.5, bool: True, Any: {"a": [1, None]}}


def some(hint: Any) -> Any:
    """A value of that type; of several the first, so nothing is null where it may be more."""
    origin, inside = get_origin(hint), get_args(hint)
    if origin is Literal:
        return inside[0]
    if origin in (Union, types.UnionType):
        return some(inside[0])
    if origin is list:
        return [some(inside[0])]
    if origin is tuple:
        return tuple(some(one) for one in inside if one is not ...)
    if origin is dict:
        return {some(inside[0]): some(inside[1])}
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return hint(**{name: some(one) for name, one in get_type_hints(hint).items()})
    return PLAIN[hint]


@pytest.mark.parametrize("name", EVERY)
def test_each_kind_comes_back_from_its_line(name: str) -> None:
    record = some(EVERY[name])
    line = encoded(record)
    assert b"\n" not in line
    assert decoded(line) == record
    assert type(decoded(line)) is EVERY[name]


@pytest.mark.parametrize("name", EVERY)
def test_each_kind_is_told_of_in_the_docs(name: str) -> None:
    rows = [line for line in page.page().splitlines() if line.startswith(f"| `{name}` | ")]
    assert len(rows) == 1
    for field in EVERY[name].__struct_fields__:
        if field not in ("t", "source", "round", "ok"):
            assert f"`{field}`: " in rows[0]


def test_what_nobody_reads_is_a_record_all_the_same() -> None:
    event, answer = b'{"event":"mark","t":1.0}', b'{"op":"go","ok":false,"error":"no","t":1.0}'
    assert decoded(event) == Event(event="mark", t=1.0)
    assert decoded(answer) == Answer(op="go", ok=False, t=1.0)


def test_what_was_heard_is_kept_word_for_word_and_read_as_a_type() -> None:
    recorder = Recorder()
    said = {"event": "late", "t": 2.0, "late_s": 0.3, "else": ODD}
    recorder.hear("actors", json.dumps(said).encode())
    recorder.add(Proof(claim="so it is", held=True))
    late, proof = recorder.records()
    assert late == Late(late_s=0.3, t=2.0, source="actors")
    assert isinstance(proof, Record)
    assert proof.source == "lab"
    assert proof.t > 0


def test_what_is_no_record_is_told_in_one_line_with_who_said_it() -> None:
    recorder = Recorder()
    recorder.hear("actors", b'{"event":"late","t":2.0,"late_s":"much"}')
    with pytest.raises(RecordError) as told:
        recorder.records()
    assert str(told.value).startswith(
        "what was heard is no record: Expected `float`, got `str` - at `$.late_s`: "
    )
    assert "actors" in str(told.value)
    assert "\n" not in str(told.value)


def test_every_failure_of_a_client_has_a_meaning() -> None:
    assert set(FAILURES) == {*get_args(FailureKind), "unfinished"}
    assert {failure.from_errno(number, "recv").kind for number in errno.errorcode} <= set(FAILURES)
    assert set(DEBTS) == set(get_args(Must))
