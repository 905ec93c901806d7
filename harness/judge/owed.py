"""What a failure means, and what a group of connections is owed: a table each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from iolab.harness.record.agent import Failure, FailureKind
from iolab.harness.record.kinds import Must

# How a connection fell short: by its own failure, or because its script did not come to an end.
Shortfall = FailureKind | Literal["unfinished"]


@dataclass(frozen=True)
class Meaning:
    """What a kind of failure says of the server.

    `fate` and `cause` are its words in a finding. `wrong_bytes`: wrong at any speed, whatever the
    scenario does. `is_end`: how a server that ends a connection shows in a client that still sends;
    `unkind`: by a reset. `is_refusal`: a client that is turned away so knows it.
    """

    fate: str
    cause: str = "cut off"
    wrong_bytes: bool = False
    is_end: bool = False
    unkind: bool = False
    is_refusal: bool = False


FAILURES: Mapping[Shortfall, Meaning] = {
    "mismatch": Meaning("wrong bytes came", "wrong bytes", wrong_bytes=True),
    "surplus": Meaning("bytes came that nobody asked for", "wrong bytes", wrong_bytes=True),
    "late": Meaning("no answer in time", "no reply"),
    "unended": Meaning("every reply came, and the end of the connection did not", "no end"),
    "unfinished": Meaning("no end in time", "no reply"),
    "refused": Meaning("the connection was refused", "refused", is_refusal=True),
    "reset": Meaning("the server reset the connection", is_end=True, unkind=True, is_refusal=True),
    "eof": Meaning("the server ended the connection early", is_end=True, is_refusal=True),
    "broken-pipe": Meaning(
        "the server had ended the connection", is_end=True, unkind=True, is_refusal=True
    ),
    "timed-out": Meaning("the connection timed out"),
    "unreachable": Meaning("the server was unreachable"),
    "os": Meaning("os"),
}

RIGHT_SO_FAR = frozenset(kind for kind, what in FAILURES.items() if not what.wrong_bytes)
ENDS = frozenset(kind for kind, what in FAILURES.items() if what.is_end)
REFUSALS = frozenset(kind for kind, what in FAILURES.items() if what.is_refusal)


@dataclass(frozen=True)
class Debt:
    """What a group is owed.

    Failures of the kinds `excused` are none. `in_words`: the server may say in place of its first
    reply why it refuses. `is_ended`: it ends the connection, better kindly, and after what it owes.
    `until_touched`: it must serve until the scenario does something to the group. `while_kept`: who
    was kept waiting by the harness has not shown what it was to show.
    """

    excused: frozenset[Shortfall] = frozenset()
    in_words: bool = False
    is_ended: bool = False
    until_touched: bool = False
    while_kept: bool = False

    def excuses(self, kind: Shortfall, failure: Failure | None) -> bool:
        """Whether a connection that fell short so was owed no more."""
        return kind in self.excused or (self.in_words and is_told_off(failure))


DEBTS: Mapping[Must, Debt] = {
    "served": Debt(while_kept=True),
    # Bystanders: what they wait for is measured (judge/patience.py).
    "promptly": Debt(),
    "served-or-refused": Debt(REFUSALS, in_words=True),
    "in-turn-or-refused": Debt(RIGHT_SO_FAR, in_words=True),
    "ended": Debt(ENDS, is_ended=True, while_kept=True),
    "nothing": Debt(RIGHT_SO_FAR, until_touched=True),
}


def is_told_off(failure: Failure | None) -> bool:
    """Whether the server said something of its own in place of the first reply: why it refuses."""
    return failure is not None and FAILURES[failure.kind].wrong_bytes and failure.at == 0
