"""The server's log, event by event: words for a person, and what it tells of the clients.

The log names a client by number and address. A number is given once and never again, so one look
at `accepted` says whose connection the kernel's row of the same address is.
"""

from __future__ import annotations

import json
import math
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from iolab.harness.live.words import count

Address = tuple[str, int]
Fields = dict[str, Any]

KEPT = 500
"""Log lines that the view keeps."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the log: when (`CLOCK_MONOTONIC` seconds), which event, of whom, and the rest.

    `reason`: why a connection was closed, by the server's own name for it.
    """

    t: float
    event: str
    client: str | None
    number: int | None
    text: str
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """A client's message that waits for the operator; `t` as above."""

    t: float
    number: int
    client: str | None
    text: str


@dataclass(frozen=True, slots=True)
class Present:
    """A client as the server listed it for the operator; how many of its messages wait."""

    number: int
    client: str | None
    state: str
    waiting: int


_NOT_LISTED: tuple[float, Sequence[Present]] = (-math.inf, ())


@dataclass
class ServerLog:
    """What the log has told so far. `whose` names the client at an address."""

    whose: Callable[[Address], str | None]
    operator: bool = False
    lines: deque[Line] = field(default_factory=lambda: deque(maxlen=KEPT))
    numbers: dict[Address, int] = field(default_factory=dict)
    total: int = 0
    """Lines so far, those included that are no longer kept."""
    accepted: int = 0
    closed: Counter[str] = field(default_factory=Counter)
    questions: list[Question] = field(default_factory=list)
    listed: tuple[float, Sequence[Present]] = _NOT_LISTED
    """When the operator asked who is there, and the answer, until the next thing that is typed."""
    reaction: Line | None = None
    """What became of the newest thing that the operator typed."""
    _names: dict[int, str | None] = field(default_factory=dict)

    def take(self, t: float, text: str) -> None:
        """One line as the server printed it at `t`."""
        try:
            fields = json.loads(text)
            event = str(fields.pop("event"))
        except (ValueError, KeyError, AttributeError, TypeError):
            self._add(Line(t, "", None, None, text))
            return
        t = fields.pop("t", t)
        number = fields.pop("client", None)
        address = _address(fields.pop("peer", None))
        client = self._note(event, t, number, address, fields)
        if event == "clients":
            self._list(t, fields["clients"])
            return
        reason = str(fields.get("reason")) if event == "closed" else None
        line = Line(t, event, client, number, _words(event, fields), reason)
        self._add(line)
        if event in ("answered", "operator-mistake"):
            self.reaction, self.listed = line, _NOT_LISTED

    def client_of(self, number: int | None) -> str | None:
        """The name of the client that the server knows by this number."""
        return None if number is None else self._names.get(number)

    def _add(self, line: Line) -> None:
        self.lines.append(line)
        self.total += 1

    def _note(
        self, event: str, t: float, number: int | None, address: Address | None, fields: Fields
    ) -> str | None:
        if event == "accepted" and number is not None and address is not None:
            self.accepted += 1
            self.numbers[address] = number
            self._names[number] = self.whose(address)
        client = self.client_of(number)
        if client is None and address is not None:
            client = self.whose(address)
        if event == "closed" and number is not None:
            self.closed[str(fields.get("reason"))] += 1
            self._names.pop(number, None)
            if address is not None and self.numbers.get(address) == number:
                del self.numbers[address]
            self.questions = [one for one in self.questions if one.number != number]
        elif event == "message" and number is not None and self.operator:
            self.questions.append(Question(t, number, client, str(fields.get("text", ""))))
        elif event == "answered":
            answered = next((one for one in self.questions if one.number == number), None)
            if answered is not None:
                self.questions.remove(answered)
        return client

    def _list(self, t: float, clients: Sequence[Fields]) -> None:
        self._add(Line(t, "clients", None, None, count(len(clients), "client") + " connected"))
        present = [
            Present(one["client"], self.client_of(one["client"]), one["state"], one["waiting"])
            for one in clients
        ]
        self.listed = (t, present)
        for one in present:
            waits = count(one.waiting, "message waits", "messages wait")
            text = f"{one.state}, {waits if one.waiting else 'nothing waits'}"
            self._add(Line(t, "", one.client, one.number, text))


def address(text: str) -> Address:
    """`1.2.3.4:80` or `[::1]:80`; an IPv4 address mapped into IPv6 as the plain one.

    ValueError for anything else.
    """
    host, colon, port = text.rpartition(":")
    if not colon:
        raise ValueError(f"not an address: {text!r}")
    return plain(host.strip("[]")), int(port)


def plain(host: str) -> str:
    """The address without the mapping of IPv4 into IPv6."""
    return host.removeprefix("::ffff:")


def _address(value: object) -> Address | None:
    return address(value) if isinstance(value, str) else None


def _words(event: str, fields: Fields) -> str:
    """The event's fields as a person would say them."""
    if event == "listening":
        return f"on {fields.get('host')} port {fields.get('port')}, model {fields.get('model')}"
    if event == "closed":
        messages = count(int(fields.get("messages") or 0), "message")
        return f"{fields.get('reason')} after {messages}"
    if event in ("message", "answered"):
        return str(fields.get("text", ""))
    if event in ("refused", "operator-mistake"):
        return str(fields.get("reason") or fields.get("text") or "")
    return " ".join(f"{key}={value}" for key, value in fields.items() if value is not None)
