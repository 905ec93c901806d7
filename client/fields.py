"""Tables from outside (TOML or JSON), checked: what is wanted, or one line that says what is wrong.

Client and probe read everything through this file; it is in the images of both. What a field may
hold is a `Kind`. `read` makes a dataclass of a table, whose fields are Annotated with their kinds;
`Fields` gives one field after the other, for who keeps them in another form. Fields of such a
dataclass that have no kind are not the table's business; the caller of `read` gives them.

A field that is null is a field that was left out.
"""

import dataclasses
import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import MISSING, dataclass
from functools import cache
from ipaddress import ip_address
from typing import Annotated, Any, Generic, TypeVar, get_args, get_type_hints, overload

T = TypeVar("T")
D = TypeVar("D")
Address = tuple[str, int]

_REQUIRED = object()


class Invalid(ValueError):
    """What came from outside cannot be used; the text is one line for its author.

    `field` is the path of the field that is to blame, and `allowed` says what it may hold; None
    where it is not one field, or not what it holds.
    """

    def __init__(
        self, problem: str, *, where: str = "", field: str | None = None, allowed: str | None = None
    ) -> None:
        named = problem if field is None else f"`{field}` {problem}"
        super().__init__(f"{where}: {named}" if where else named)
        self.field = field
        self.allowed = allowed


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """What a field may hold: `allowed` says it, `read` raises ValueError for the rest."""

    allowed: str
    read: Callable[[object], T]


class Fields:
    """The fields of one table, taken one by one; `end` refuses those that nobody took."""

    def __init__(self, table: object, where: str = "", at: str = "") -> None:
        """Errors begin with `where`; `at` is the table's own path, as `condition.gone`.

        Raises Invalid if it is no table.
        """
        if not isinstance(table, Mapping):
            problem = f"must be {TABLE.allowed}, not {_shown(table)}"
            raise Invalid(problem, where=where, field=at or None, allowed=TABLE.allowed)
        self._table = table
        self._where = where
        self._at = at
        self._taken: list[str] = []

    @overload
    def take(self, name: str, kind: Kind[T]) -> T: ...
    @overload
    def take(self, name: str, kind: Kind[T], default: D) -> T | D: ...

    def take(self, name: str, kind: Kind[Any], default: Any = _REQUIRED) -> Any:
        """The field as that kind; the default if it was left out.

        Raises Invalid naming the field if it is required and missing, or of another kind.
        """
        self._taken.append(name)
        value = self._table.get(name)
        if value is None:
            if default is _REQUIRED:
                raise self.wrong(name, f"is missing; it is {kind.allowed}", kind.allowed)
            return default
        try:
            return kind.read(value)
        except (TypeError, ValueError):
            problem = f"must be {kind.allowed}, not {_shown(value)}"
            raise self.wrong(name, problem, kind.allowed) from None

    def end(self) -> None:
        """Raises Invalid if there is a field that was not taken."""
        self.only(self._taken)

    def only(self, names: Collection[str]) -> None:
        """Raises Invalid if there is a field with another name."""
        for name in self._table:
            if name not in names:
                allowed = ", ".join(names) or "none"
                raise self.wrong(name, f"is no field of it; allowed: {allowed}", allowed)

    def wrong(self, name: str, problem: str, allowed: str | None = None) -> Invalid:
        """The error that says what is wrong with a field."""
        path = f"{self._at}.{name}" if self._at else name
        return Invalid(problem, where=self._where, field=path, allowed=allowed)


def read(cls: type[T], table: object, where: str = "", at: str = "", **given: object) -> T:
    """Make a `cls` of `table`; `given` are the fields that do not come from the table.

    Raises Invalid with one line that starts with `where` and names the field (its path begins
    with `at`) and what is allowed.
    """
    fields = Fields(table, where, at)
    kinds = _kinds(cls)  # type: ignore[arg-type]  # a class is hashable, mypy doubts it
    fields.only(kinds)
    values = dict(given)
    for name, (kind, required) in kinds.items():
        value = fields.take(name, kind, *([] if required else [MISSING]))
        if value is not MISSING:
            values[name] = value
    try:
        return cls(**values)
    except Invalid as error:
        raise Invalid(str(error), where=where) from None


@cache
def _kinds(cls: type) -> dict[str, tuple[Kind[Any], bool]]:
    """The fields that a table may carry: their kinds, and whether they are required."""
    hints = get_type_hints(cls, include_extras=True)
    found = {}
    for field in dataclasses.fields(cls):
        kind = _kind(hints[field.name])
        if kind is not None:
            found[field.name] = kind, field.default is MISSING
    return found


def _kind(hint: object) -> Kind[Any] | None:
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
    if not isinstance(value, str):
        raise ValueError
    return value


def _word(value: object) -> str:
    text = _text(value)
    _require(0 < len(text) <= 64 and text.isprintable() and "#" not in text)
    return text


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError
    return value


def _list(value: object) -> list[object] | tuple[object, ...]:
    if not isinstance(value, list | tuple):
        raise ValueError
    return value


def _words(value: object) -> list[str]:
    words = [_text(word) for word in _list(value)]
    _require(bool(words))
    return words


def _table(value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError
    return value


def _hex(value: object) -> bytes:
    return bytes.fromhex(_text(value))


def _address(least_port: int) -> Callable[[object], Address]:
    port_kind = whole(least_port, 65535)

    def read_address(value: object) -> Address:
        host, port = _list(value)
        return str(ip_address(_text(host))), port_kind.read(port)

    return read_address


def whole(least: int, most: int | None = None, allowed: str | None = None) -> Kind[int]:
    """The kind of a whole number within these bounds."""

    def read_whole(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ValueError
        _require(most is None or value <= most)
        return value

    bounds = f", {least} or more" if most is None else f" from {least} to {most}"
    return Kind(allowed or f"a whole number{bounds}", read_whole)


def number(allowed: str, fits: Callable[[float], bool] = lambda value: value >= 0) -> Kind[float]:
    """The kind of a finite number, 0 or more if `fits` does not say otherwise."""

    def read_number(value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError
        _require(math.isfinite(value) and fits(value))
        return float(value)

    return Kind(allowed, read_number)


def one_of(*words: str) -> Kind[str]:
    """The kind of a field that holds one of a few words."""

    def read_word(value: object) -> str:
        _require(value in words)
        return str(value)

    few = " or ".join(f'"{word}"' for word in words)
    return Kind(few if len(words) <= 3 else f"one of {', '.join(words)}", read_word)


def some_of(*words: str) -> Kind[frozenset[str]]:
    """The kind of a field that holds a list of some of these words."""
    each = one_of(*words)
    return Kind(
        f"a list of some of {', '.join(words)}",
        lambda value: frozenset(map(each.read, _list(value))),
    )


TEXT = Kind("a text", _text)
NAME = Kind("a name of 1 to 64 printable characters without #", _word)
FLAG = Kind("true or false", _flag)
COUNT = whole(0)
POSITIVE = whole(1)
PORT = whole(1, 65535, "a port from 1 to 65535")
SECONDS = number("seconds, 0 or more")
COUNTS = Kind("a list of whole numbers", lambda value: frozenset(map(COUNT.read, _list(value))))
WORDS = Kind("a list of texts, one at least", _words)
TABLE = Kind("a table", _table)
TEXTS = Kind("a table of texts", lambda value: {k: _text(v) for k, v in _table(value).items()})

Text = Annotated[str, TEXT]
Name = Annotated[str, NAME]
Octets = Annotated[bytes, Kind('bytes in hexadecimal, as "00 ff 0a"', _hex)]
Flag = Annotated[bool, FLAG]
Count = Annotated[int, COUNT]
Positive = Annotated[int, POSITIVE]
Port = Annotated[int, PORT]
Seconds = Annotated[float, SECONDS]
Rate = Annotated[float, number("bytes a second, more than 0", lambda rate: rate > 0)]
Target = Annotated[Address, Kind('an address as ["10.0.0.1", 9000]', _address(1))]
Bind = Annotated[Address, Kind('an address as ["10.0.0.1", 0] (port 0: any)', _address(0))]
