"""The operator of `--reply operator`: typed lines become commands, and are obeyed."""

from __future__ import annotations

import os
from typing import Generic, TypeVar

from .clients import Client, Clients
from .events import Log
from .framing import LineFraming

STDIN = 0
HELP = "type: NUMBER TEXT to answer a client; list; close NUMBER"
LONGEST_LINE = 2**20


C = TypeVar("C", bound=Client)


class Operator(Generic[C]):
    """Takes what is typed, in whatever pieces, and obeys each whole line.

    What the operator is shown comes through the log, like everything else that happens.
    """

    def __init__(self, clients: Clients[C], log: Log) -> None:
        self._clients = clients
        self._log = log
        self._typed = LineFraming(LONGEST_LINE)

    def hear(self) -> bool:
        """Read what was typed on standard input, waiting if nothing was; False at its end."""
        typed = os.read(STDIN, 2**16)
        self.feed(typed)
        return bool(typed)

    def feed(self, data: bytes) -> None:
        """Take typed bytes; none at all means that the operator has left."""
        if not data:
            self._log.event("operator-left")
            return
        block = self._typed.feed(data)
        if block:
            for line in self._typed.split(block):
                self._obey(line.strip(b"\r"))

    def _obey(self, line: bytes) -> None:
        first, _, rest = line.partition(b" ")
        if not line.strip():
            return
        if line.strip() == b"list":
            self._log.event("clients", clients=self._clients.listing())
        elif first == b"close" and rest.strip().isdigit():
            self._close(int(rest))
        elif first.isdigit():
            self._answer(int(first), rest)
        else:
            self._log.event("operator-mistake", text=HELP)

    def _answer(self, number: int, text: bytes) -> None:
        client = self._clients.get(number)
        if client is None:
            self._log.event("operator-mistake", text=f"there is no client {number}")
        elif client.answer(text):
            self._log.event("answered", client=number, text=text.decode("utf-8", "replace"))
        else:
            self._log.event("operator-mistake", text=f"no message of client {number} is waiting")

    def _close(self, number: int) -> None:
        client = self._clients.get(number)
        if client is None:
            self._log.event("operator-mistake", text=f"there is no client {number}")
        else:
            client.finish("operator")
