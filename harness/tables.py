"""Tables from outside (TOML, JSON) as msgspec structs, or one line that says what is wrong.

msgspec decides whether a value fits. What is allowed is said by the type itself, in the words of
whoever writes the file: `allowed("a port", …)` is one more annotation of it. Where a type says
nothing, its form does: `Literal` its words, `bool` true or false, a struct a table.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, TypeVar, Union, get_args, get_origin

import msgspec
from msgspec import Meta, Struct

from iolab.harness.errors import UsageError

T = TypeVar("T", bound=Struct)
Words = str | Callable[[Any], str]
"""What is allowed; a function of the wrong value where that makes it clearer."""

_ALLOWED = "allowed"
_LONGEST = 60


class Wrong(NamedTuple):
    """A field by its path, as `promises.idle_timeout_s`, and what is wrong with it."""

    field: str
    problem: str


def allowed(words: Words, **limits: Any) -> Meta:
    """An annotation: what fits into a field, as limits for msgspec and in words behind "must be".

    `limits` are those of `msgspec.Meta`: `gt=0`, `pattern=…`.
    """
    return Meta(**limits, extra={_ALLOWED: words})


def read(cls: type[T], data: Mapping[str, Any], where: str) -> T:
    """Make a `cls` of a parsed table.

    Raises UsageError with one line: `where`, the field, and what is allowed.
    """
    try:
        return msgspec.convert(data, cls)
    except msgspec.ValidationError as error:
        wrong = next(_wrong(cls, data, ""), Wrong("", str(error)))
        raise UsageError(": ".join(filter(None, (where, *wrong)))) from None


def _wrong(kind: Any, value: Any, at: str) -> Iterator[Wrong]:
    """What is wrong with a value; of a table, field by field."""
    form, words = _form(kind)
    if isinstance(value, dict) and get_origin(form) is dict:
        of_item = get_args(form)[1]
        for name, item in value.items():
            yield from _wrong(of_item, item, _path(at, name))
    elif isinstance(value, dict) and isinstance(form, type) and issubclass(form, Struct):
        yield from _wrong_fields(form, value, at)
    elif not fits(kind, value):
        said = words(value) if callable(words) else words
        yield Wrong(at, f"must be {said}, not {_shown(value)}")


def _wrong_fields(cls: type[Struct], table: Mapping[str, Any], at: str) -> Iterator[Wrong]:
    fields = {field.encode_name: field for field in msgspec.structs.fields(cls)}
    for name in table:
        if name not in fields:
            known = ", ".join(sorted(fields))
            yield Wrong(_path(at, name), f"is not a field; known are: {known}")
    for name, field in fields.items():
        if name in table:
            yield from _wrong(field.type, table[name], _path(at, name))
        elif field.required:
            words = _form(field.type)[1]
            said = words(None) if callable(words) else words
            yield Wrong(_path(at, name), f"is missing: it must be {said}")


def fits(kind: Any, value: Any) -> bool:
    """Whether msgspec takes the value for this type."""
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return False
    return True


def _form(kind: Any) -> tuple[Any, Words]:
    """The type behind annotations and `| None`, and the words for what it allows."""
    origin = get_origin(kind)
    if origin is Annotated:
        inner, *annotations = get_args(kind)
        form, words = _form(inner)
        for one in annotations:
            words = (getattr(one, "extra", None) or {}).get(_ALLOWED, words)
        return form, words
    if origin in (Union, UnionType):
        forms = [_form(one) for one in get_args(kind) if one is not NoneType]
        if len(forms) == 1:
            return forms[0]
        return kind, " or ".join(words for _, words in forms if isinstance(words, str))
    if origin is Literal:
        return kind, " or ".join(f'"{word}"' for word in get_args(kind))
    if isinstance(kind, type) and issubclass(kind, Struct):
        return kind, "a table"
    plain = {bool: "true or false", str: "a text", int: "a whole number", float: "a number"}
    return kind, plain.get(kind, "a list" if origin in (list, tuple) else "a table")


def _path(at: str, name: str) -> str:
    """As TOML writes it: a name that is no bare key is quoted."""
    key = name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name, ensure_ascii=False)
    return f"{at}.{key}" if at else key


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."
