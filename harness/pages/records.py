"""`docs/records.md`: the kinds of record, as their types have them."""

from __future__ import annotations

import inspect
import types
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from iolab.harness.record.base import VERSION, Address, AnswerKind, EventKind, Kind, Record
from iolab.harness.record.lines import ANSWERS, EVENTS, KINDS

HEAD = f"""\
<!-- Made by `python -m iolab docs` from harness/record/; do not edit. -->
# What is recorded

A playing is recorded as lines of JSON, one record a line (`runs/…/*.ndjson`), and judged from them
alone: `iolab judge RUN` gives the same verdicts again. The first record is a `scenario`
with `version` {VERSION}; a file with another one, or none, is refused.

Every record has `t` (seconds of `CLOCK_MONOTONIC`) and `source`: the agent or probe that said it,
or `lab` for what the harness itself did. Records of the lab have a `kind`. What agents and probe
said is theirs, word for word (`docs/protocol.md`): events have an `event`, answers an `op` and the
`request`. Of those only what is named here is read; all else is there for people.

An *address* is `["10.91.0.4", 50112]`.
"""

ALL_OF_THEM = "\nAll of them have the `round` of the scenario, from 1.\n"
OTHERS = "\nOf all other events, and answers to other ops, nothing is read.\n"


def page() -> str:
    """The whole page."""
    spoken = [*KINDS.values(), *EVENTS.values(), *ANSWERS.values()]
    parts = sorted(set(_parts_of(spoken)), key=lambda part: part.__name__)
    return "".join(
        [
            HEAD,
            "\n## Records of the lab\n",
            ALL_OF_THEM,
            _table("kind", KINDS),
            "\n## Events of agents and probe\n",
            _table("event", EVENTS),
            "\n## Answers of agents and probe\n",
            _table("op", ANSWERS),
            OTHERS,
            "\n## Parts of records\n",
            _table("part", {part.__name__: part for part in parts}),
        ]
    )


def _table(head: str, kinds: Mapping[str, type[msgspec.Struct]]) -> str:
    rows = "".join(_row(name, kind) for name, kind in kinds.items())
    return f"\n| {head} | says | fields |\n| --- | --- | --- |\n{rows}"


def _row(name: str, kind: type[msgspec.Struct]) -> str:
    says = " ".join((inspect.getdoc(kind) or "").split())
    told = "; ".join(_field(one, hint) for one, hint in _fields(kind)) or "none"
    return f"| `{name}` | {says} | {told} |\n"


def _field(field: msgspec.structs.FieldInfo, hint: Any) -> str:
    return f"`{field.name}`: {_words(hint)}" + ("" if field.required else " (optional)")


def _fields(kind: type[msgspec.Struct]) -> Iterator[tuple[msgspec.structs.FieldInfo, Any]]:
    """Its own fields with their types, without those that all of its sort have."""
    common: set[str] = set()
    for base in (Kind, EventKind, AnswerKind):
        if issubclass(kind, base):
            common |= set(base.__struct_fields__)
    hints = get_type_hints(kind)
    for field in msgspec.structs.fields(kind):
        if field.name not in common:
            yield field, hints[field.name]


def _words(hint: Any) -> str:
    """A type as people read it."""
    origin, inside = get_origin(hint), get_args(hint)
    if hint == Address:
        return "address"
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in inside)
    if origin in (Union, types.UnionType):
        return " or ".join(_words(one) for one in inside)
    if origin is list or (origin is tuple and inside[1:] == (...,)):
        return f"list of {_words(inside[0])}"
    if origin is tuple:
        return f"[{', '.join(_words(one) for one in inside)}]"
    if origin is dict:
        return f"object of {_words(inside[1])}"
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return f"`{hint.__name__}`"
    return _PLAIN[hint]


_PLAIN: Mapping[Any, str] = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    Any: "anything",
    type(None): "null",
}


def _parts_of(kinds: Iterable[type[msgspec.Struct]]) -> Iterator[type[msgspec.Struct]]:
    """The structs that the fields of these are made of, however deep; but for records."""
    for kind in kinds:
        found = [one for _, hint in _fields(kind) for one in _structs_in(hint)]
        yield from (one for one in found if not issubclass(one, Record))
        yield from _parts_of(found)


def _structs_in(hint: Any) -> Iterator[type[msgspec.Struct]]:
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        yield hint
    for one in get_args(hint):
        yield from _structs_in(one)
