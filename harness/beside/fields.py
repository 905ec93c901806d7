"""Reading the fields of a request, with errors that name the field and what is allowed.

A kind is a function from the raw JSON value to the value wanted; it raises ValueError with the
words for what is allowed: `Fields(request).take("port", port)`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar, overload

from iolab.harness.beside.ops import RequestError

T = TypeVar("T")
D = TypeVar("D")
Kind = Callable[[Any], T]
Address = tuple[str, int]

_REQUIRED = object()


class Fields:
    """The fields of one JSON object, taken one by one; `end` refuses those that nobody took."""

    def __init__(self, data: Mapping[str, Any], where: str = "") -> None:
        """`where` is put before the field's name in errors, as in `condition.gone.port`."""
        self._data = data
        self._where = where
        self._taken: set[str] = set()

    @overload
    def take(self, name: str, kind: Kind[T]) -> T: ...
    @overload
    def take(self, name: str, kind: Kind[T], default: D) -> T | D: ...

    def take(self, name: str, kind: Kind[Any], default: Any = _REQUIRED) -> Any:
        """The field as that kind; the default when it is missing or null.

        Raises RequestError naming the field when it is required and missing, or of another kind.
        """
        self._taken.add(name)
        value = self._data.get(name)
        if value is None and default is not _REQUIRED:
            return default
        if value is None:
            raise RequestError(f"field {self._where}{name}: is missing")
        try:
            return kind(value)
        except ValueError as error:
            raise RequestError(
                f"field {self._where}{name}: must be {error}, not {value!r}"
            ) from None

    def end(self) -> None:
        """Raises RequestError when there is a field that was not taken."""
        unknown = sorted(set(self._data) - self._taken)
        if unknown:
            known = ", ".join(sorted(self._taken)) or "none"
            raise RequestError(
                f"field {self._where}{unknown[0]}: is not known here (known: {known})"
            )


def whole(value: Any) -> int:
    """A whole number from zero."""
    if type(value) is not int or value < 0:
        raise ValueError("a whole number from 0")
    return value


def port(value: Any) -> int:
    """A TCP port, 1 to 65535."""
    if type(value) is not int or not 0 < value < 65536:
        raise ValueError("a port from 1 to 65535")
    return value


def seconds(value: Any) -> float:
    """A number of seconds, zero or more."""
    if type(value) not in (int, float) or not 0 <= value < float("inf"):
        raise ValueError("a number of seconds from 0")
    return float(value)


def share(value: Any) -> float:
    """A part of one CPU, zero or more."""
    if type(value) not in (int, float) or not 0 <= value < float("inf"):
        raise ValueError("a share of one CPU from 0")
    return float(value)


def text(value: Any) -> str:
    """A string."""
    if not isinstance(value, str):
        raise ValueError("a string")
    return value


def flag(value: Any) -> bool:
    """true or false."""
    if not isinstance(value, bool):
        raise ValueError("true or false")
    return value


def table(value: Any) -> Mapping[str, Any]:
    """A JSON object."""
    if not isinstance(value, dict):
        raise ValueError("an object")
    return value


def words(value: Any) -> list[str]:
    """A list of strings that is not empty."""
    if not isinstance(value, list) or not value or not all(isinstance(word, str) for word in value):
        raise ValueError("a list of strings that is not empty")
    return value


def environment(value: Any) -> dict[str, str]:
    """An object whose values are strings."""
    if not isinstance(value, dict) or not all(isinstance(word, str) for word in value.values()):
        raise ValueError("an object of strings")
    return value


def address(value: Any) -> Address:
    """An IP address and a port: `["10.91.0.4", 50112]`."""
    if not isinstance(value, list) or len(value) != 2 or not isinstance(value[0], str):
        raise ValueError('an address and a port, as ["10.91.0.4", 50112]')
    return value[0], port(value[1])


def addresses(value: Any) -> frozenset[Address]:
    """A list of addresses with ports."""
    if not isinstance(value, list):
        raise ValueError('a list of addresses and ports, as [["10.91.0.4", 50112]]')
    return frozenset(address(item) for item in value)


def numbers(value: Any) -> frozenset[int]:
    """A list of whole numbers."""
    if not isinstance(value, list):
        raise ValueError("a list of whole numbers")
    return frozenset(whole(item) for item in value)


def one_of(*allowed: str) -> Kind[str]:
    """One of these words."""

    def kind(value: Any) -> str:
        if not isinstance(value, str) or value not in allowed:
            raise ValueError("one of " + ", ".join(allowed))
        return value

    return kind


def some_of(*allowed: str) -> Kind[frozenset[str]]:
    """A list of some of these words."""

    def kind(value: Any) -> frozenset[str]:
        if not isinstance(value, list) or not all(item in allowed for item in value):
            raise ValueError("a list of some of " + ", ".join(allowed))
        return frozenset(value)

    return kind
