"""Tables from outside (TOML or JSON) become dataclasses, or one line that says what is wrong.

The fields of such a dataclass are annotated with the types at the end of this file: each is
Annotated with a kind, which reads the value and holds the words that an error uses for what is
allowed. Fields of any other type are not the table's business; the caller of `read` gives them.
"""

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass
from functools import cache
from ipaddress import ip_address
from typing import Annotated, TypeVar, get_args, get_type_hints

T = TypeVar("T")
Address = tuple[str, int]


class Invalid(ValueError):
    """What came from outside cannot be used; the text is one line for its author."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What a field may hold: `allowed` says it, `read` raises ValueError for the rest."""

    allowed: str
    read: Callable[[object], object]


def read(cls: type[T], table: object, where: str, **given: object) -> T:
    """Make a `cls` of `table`; `given` are the fields that do not come from the table.

    Raises Invalid with one line that starts with `where` and names the field and what is allowed.
    """
    if not isinstance(table, Mapping):
        raise Invalid(f"{where}: a table of fields is needed, not {_shown(table)}")
    kinds = _kinds(cls)  # type: ignore[arg-type]  # a class is hashable, mypy doubts it
    for name in table:
        if name not in kinds:
            raise Invalid(f"{where}: `{name}` is no field of it; allowed: {', '.join(kinds)}")
    values = dict(given)
    for name, (kind, required) in kinds.items():
        if name not in table:
            if required:
                raise Invalid(f"{where}: `{name}` is missing; it is {kind.allowed}")
            continue
        try:
            values[name] = kind.read(table[name])
        except (TypeError, ValueError):
            raise Invalid(
                f"{where}: `{name}` must be {kind.allowed}, not {_shown(table[name])}"
            ) from None
    try:
        return cls(**values)
    except Invalid as error:
        raise Invalid(f"{where}: {error}") from None


@cache
def _kinds(cls: type) -> dict[str, tuple[Kind, bool]]:
    """The fields that a table may carry: their kinds, and whether they are required."""
    hints = get_type_hints(cls, include_extras=True)
    found = {}
    for field in dataclasses.fields(cls):
        kind = _kind(hints[field.name])
        if kind is not None:
            found[field.name] = kind, field.default is MISSING
    return found


def _kind(hint: object) -> Kind | None:
    """The kind in an annotation such as `Count` or `Count | None`."""
    if isinstance(hint, Kind):
        return hint
    return next(filter(None, map(_kind, get_args(hint))), None)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"


def _require(holds: bool) -> None:
    if not holds:
        raise ValueError


def _text(value: object) -> str:
    _require(isinstance(value, str))
    return str(value)


def _word(value: object) -> str:
    text = _text(value)
    _require(0 < len(text) <= 64 and text.isprintable() and "#" not in text)
    return text


def _flag(value: object) -> bool:
    _require(isinstance(value, bool))
    return bool(value)


def _whole(least: int) -> Callable[[object], int]:
    def read_whole(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ValueError
        return value

    return read_whole


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError
    _require(value >= 0 and math.isfinite(value))
    return float(value)


def _rate(value: object) -> float:
    number = _number(value)
    _require(number > 0)
    return number


def _hex(value: object) -> bytes:
    return bytes.fromhex(_text(value))


def _address(least_port: int) -> Callable[[object], Address]:
    def read_address(value: object) -> Address:
        if not isinstance(value, list | tuple) or len(value) != 2:
            raise ValueError
        port = _whole(least_port)(value[1])
        _require(port <= 65535)
        return str(ip_address(_text(value[0]))), port

    return read_address


def one_of(*words: str) -> Kind:
    """The kind of a field that holds one of a few words."""

    def read_word(value: object) -> str:
        _require(value in words)
        return str(value)

    return Kind(" or ".join(f'"{word}"' for word in words), read_word)


Text = Annotated[str, Kind("a text", _text)]
Name = Annotated[str, Kind("a name of 1 to 64 printable characters without #", _word)]
Octets = Annotated[bytes, Kind('bytes in hexadecimal, as "00 ff 0a"', _hex)]
Flag = Annotated[bool, Kind("true or false", _flag)]
Count = Annotated[int, Kind("a whole number, 0 or more", _whole(0))]
Positive = Annotated[int, Kind("a whole number, 1 or more", _whole(1))]
Seconds = Annotated[float, Kind("seconds, 0 or more", _number)]
Rate = Annotated[float, Kind("bytes a second, more than 0", _rate)]
Target = Annotated[Address, Kind('an address as ["10.0.0.1", 9000]', _address(1))]
Bind = Annotated[Address, Kind('an address as ["10.0.0.1", 0] (port 0: any)', _address(0))]
