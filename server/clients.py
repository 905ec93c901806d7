"""Who is connected: numbers, limits, and what the log says of each. All models share it."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Generic, Protocol, TypeVar

from .connection import Connection
from .events import Log
from .settings import Settings

LOGGED_BYTES = 200
"""Bytes of a message that the log shows."""


class Client(Protocol):
    """What a model keeps of one connection: a socket of some kind and the state machine."""

    number: int
    peer: str
    connection: Connection

    def answer(self, text: bytes) -> bool:
        """Send the operator's answer to the oldest waiting message; False if none waits."""

    def finish(self, reason: str) -> None:
        """End it in good order from our side."""


C = TypeVar("C", bound=Client)


class Clients(Generic[C]):
    """The clients of one server by number. A number is given once and never again.

    `max_fd` is the first descriptor that the model cannot watch; None if there is none.
    """

    def __init__(self, settings: Settings, log: Log, max_fd: int | None = None) -> None:
        self._settings = settings
        self._log = log
        self._max_fd = max_fd
        self._clients: dict[int, C] = {}
        self._newest = 0
        self._out_of_descriptors = False
        self._shows_messages = settings.log_messages or settings.reply == "operator"

    def __len__(self) -> int:
        return len(self._clients)

    def __iter__(self) -> Iterator[C]:
        """All clients of this moment; they may come and go meanwhile."""
        return iter(list(self._clients.values()))

    def get(self, number: int) -> C | None:
        """The client of that number, if it is still here."""
        return self._clients.get(number)

    def accept_failed(self, code: str) -> None:
        """There was no room for another socket; said once, until there is again."""
        if not self._out_of_descriptors:
            self._out_of_descriptors = True
            self._log.event("accept-failed", error=code, connections=len(self))

    def no_place(self, fd: int) -> str | None:
        """Why a new connection on descriptor `fd` cannot be served, in words; None if it can."""
        if self._out_of_descriptors:
            self._out_of_descriptors = False
            self._log.event("accept-resumed")
        limit = self._settings.max_connections
        if limit and len(self) >= limit:
            return f"all {limit} places are taken"
        if self._max_fd is not None and fd >= self._max_fd:
            return f"descriptor {fd} is beyond what {self._settings.model} can watch"
        return None

    def refused(self, peer: str, why: str) -> bytes:
        """Log that a new connection is not served; gives the words for the peer."""
        self._log.event("refused", peer=peer, reason=why)
        return f"error: {why}\n".encode()

    def admit(self, sock: socket.socket, peer: str) -> bool:
        """Whether there is a place for a new connection; if not, it is told so and closed."""
        why = self.no_place(sock.fileno())
        if why is None:
            return True
        self.refuse(sock, peer, why)
        return False

    def refuse(self, sock: socket.socket, peer: str, why: str) -> None:
        """Tell a new connection that it will not be served, and close it."""
        with suppress(OSError):  # it may have gone already
            sock.send(self.refused(peer, why))
        sock.close()

    def next_number(self) -> int:
        """The number for the next client."""
        self._newest += 1
        return self._newest

    def new_connection(self, number: int) -> Connection:
        """The state machine for client `number`, its messages shown in the log if asked for."""
        return Connection(self._settings, self._show(number) if self._shows_messages else None)

    def accepted(self, client: C) -> None:
        """The client is here and is being served."""
        self._clients[client.number] = client
        self._log.event("accepted", client=client.number, peer=client.peer)

    def closed(self, client: C) -> None:
        """The client's socket is closed."""
        del self._clients[client.number]
        connection = client.connection
        self._log.event(
            "closed",
            client=client.number,
            peer=client.peer,
            reason=connection.reason,
            received=connection.received,
            sent=connection.sent,
            messages=connection.messages,
        )

    def _show(self, number: int) -> Callable[[list[bytes]], None]:
        def show(messages: list[bytes]) -> None:
            for message in messages:
                text = message[:LOGGED_BYTES].decode("utf-8", "replace")
                self._log.event("message", client=number, size=len(message), text=text)

        return show

    def listing(self) -> list[dict[str, str | int]]:
        """Everyone who is here, for the operator."""
        return [
            {
                "client": client.number,
                "peer": client.peer,
                "state": client.connection.state.name,
                "waiting": len(client.connection.owed or ()),
            }
            for client in self
        ]
