"""What agents say: how each connection fared. Fields that nobody reads stay in the line."""

from __future__ import annotations

from typing import Literal

import msgspec

from iolab.harness.record.base import Address, AnswerKind, EventKind

FailureKind = Literal[
    "refused",
    "reset",
    "broken-pipe",
    "timed-out",
    "unreachable",
    "eof",
    "mismatch",
    "surplus",
    "late",
    "unended",
    "os",
]


class Failure(msgspec.Struct, kw_only=True):
    """Why a script failed; `at`, `expected` and `got` of wrong bytes only."""

    kind: FailureKind
    step: str
    detail: str = ""
    at: int | None = None
    expected: str | None = None
    got: str | None = None


class Step(msgspec.Struct, kw_only=True):
    """Where a script is: `index` as "4.2", and what it does in words."""

    index: str
    doing: str


class Report(EventKind, kw_only=True, tag="ended"):
    """A `Report`: how one connection fared, when it has come to its end or its report is asked for.

    As `docs/protocol.md` has it; times are those of the clock.
    """

    connection: str
    local: Address | None
    step: Step
    outcome: Literal["running", "ok", "failed", "dropped"]
    failure: Failure | None
    sent: int
    received: int
    messages: int
    replies: int
    closed: float | None = None
    eof: float | None = None
    reset: float | None = None
    silent: list[tuple[float, float | None]] = msgspec.field(default_factory=list)
    latencies: list[tuple[float, float]] = msgspec.field(default_factory=list)
    unanswered: float | None = None
    flooded: str | None = None

    @property
    def group(self) -> str:
        return self.connection.rpartition("#")[0]


class Reports(AnswerKind, kw_only=True, tag="report"):
    """Every connection's report, when it was asked for."""

    connections: list[Report] = msgspec.field(default_factory=list)


class SocketInfo(msgspec.Struct, kw_only=True):
    """The client kernel's view of one socket, in bytes; no record, but asked for by name."""

    unread: int
    retransmits: int
