"""What a condition is, and what all conditions say in the same words."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

from iolab.harness.beside import fields
from iolab.harness.beside.fields import Address, Fields
from iolab.harness.beside.probe.view import Endpoint, View


class Seen(NamedTuple):
    """What one look saw."""

    holds: bool
    words: str


class Condition(ABC):
    """Built from its fields; `endpoint` is where it looks, if it names a port."""

    endpoint: Endpoint | None = None

    @abstractmethod
    def __init__(self, data: Fields) -> None:
        """Take the fields. RequestError for one that is missing or wrong."""

    @abstractmethod
    def look(self, view: View) -> Seen:
        """Does it hold now? PermissionError when what it must see may not be read."""


def endpoint(data: Fields) -> Endpoint:
    """The fields `port` and, where the network namespace is shared with others, `address`."""
    return Endpoint(data.take("port", fields.port), data.take("address", fields.text, None))


def maybe_endpoint(data: Fields) -> Endpoint | None:
    """The same two fields, for those who can do without."""
    port = data.take("port", fields.port, None)
    address = data.take("address", fields.text, None)
    return None if port is None else Endpoint(port, address)


def name(address: Address) -> str:
    host = f"[{address[0]}]" if ":" in address[0] else address[0]
    return f"{host}:{address[1]}"


def brief(items: list[str]) -> str:
    shown = ", ".join(items[:5])
    return shown if len(items) <= 5 else f"{shown} and {len(items) - 5} more"


def between(value: int | None, least: int, most: int | None) -> bool:
    return value is not None and least <= value and (most is None or value <= most)
