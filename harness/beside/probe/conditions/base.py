"""What a condition is, and what all conditions say in the same words."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

from iolab.client.fields import PORT, TEXT, Address, Fields, Kind
from iolab.harness.beside.probe.view import Endpoint, View


def _peer(value: object) -> Address:
    if not isinstance(value, list) or len(value) != 2 or not isinstance(value[0], str):
        raise ValueError
    return value[0], PORT.read(value[1])


def _peers(value: object) -> frozenset[Address]:
    if not isinstance(value, list):
        raise ValueError
    return frozenset(map(_peer, value))


# Compared with rows of the kernel's tables as texts: there may be thousands.
PEERS = Kind('a list of addresses, as [["10.91.0.4", 50112]]', _peers)


class Seen(NamedTuple):
    """What one look saw."""

    holds: bool
    words: str


class Condition(ABC):
    """Built from its fields; `endpoint` is where it looks, if it names a port."""

    endpoint: Endpoint | None = None

    @abstractmethod
    def __init__(self, data: Fields) -> None:
        """Take the fields. Invalid for one that is missing or wrong."""

    @abstractmethod
    def look(self, view: View) -> Seen:
        """Does it hold now? PermissionError when what it must see may not be read."""


def endpoint(data: Fields) -> Endpoint:
    """The fields `port` and, where the network namespace is shared with others, `address`."""
    return Endpoint(data.take("port", PORT), data.take("address", TEXT, None))


def maybe_endpoint(data: Fields) -> Endpoint | None:
    """The same two fields, for those who can do without."""
    port = data.take("port", PORT, None)
    address = data.take("address", TEXT, None)
    return None if port is None else Endpoint(port, address)


def name(address: Address) -> str:
    host = f"[{address[0]}]" if ":" in address[0] else address[0]
    return f"{host}:{address[1]}"


def brief(items: list[str]) -> str:
    shown = ", ".join(items[:5])
    return shown if len(items) <= 5 else f"{shown} and {len(items) - 5} more"


def between(value: int | None, least: int, most: int | None) -> bool:
    return value is not None and least <= value and (most is None or value <= most)
