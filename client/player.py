"""Plays one script on one connection, and keeps what is to be reported of it.

The course of a script is a generator (see client.steps.flow): each `yield` waits until something
has happened, whatever it was, and each wait looks for itself whether it is over. So a resumption
too many does no harm, and whoever has news (an edge of the socket, an alarm, a `go`) just resumes.
"""

import errno
import time
from collections.abc import Generator
from dataclasses import dataclass
from typing import Protocol

from .connection import Connection
from .failure import Failed, Failure, escaped, from_errno
from .fields import Address
from .latencies import Latencies
from .loop import Alarm, Loop
from .payload import Constant, Reply, Source, Voice
from .replies import Replies
from .script import Connect, Hang, Message, Script
from .steps import flow

_SAID = 64
_PAUSES = 100


class Stage(Protocol):
    """Who looks after several players, and says when they go, rest and finish."""

    resting: bool
    finishing: bool

    def is_released(self, signal: str) -> bool:
        """Whether steps that wait for `signal` are let go."""

    def hold(self, player: "Player", signal: str) -> None:
        """The player waits to be resumed once `signal` is released, for all or for it alone."""

    def holds(self, player: "Player", signal: str) -> bool:
        """Whether it waits still."""

    def connected(self, player: "Player") -> None:
        """A connection of the player is established."""

    def marked(self, player: "Player", mark: str) -> None:
        """The player enters a step with a mark."""

    def waiting(self, player: "Player") -> None:
        """An `ask` is still without its reply after `tell_after_s`."""

    def settled(self, player: "Player", at_rest: bool) -> None:
        """The player will do nothing by itself from now on, or does again."""

    def ended(self, player: "Player") -> None:
        """The script is through, has failed, or was dropped."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What all players of a group share. `latencies` is how many of them each player keeps."""

    loop: Loop
    script: Script
    target: Address
    bind: Address | None = None
    reply: Reply = "echo"
    latencies: int = 10_000


class Player:
    """One connection's script under way.

    Times are seconds of time.monotonic. `outcome` is "running", "ok", "failed" or "dropped".
    `claimed` and `claimed_replies` tell how much of the reply stream earlier steps have taken.
    `turns` counts resumptions.
    """

    __slots__ = (
        "_course",
        "_past",
        "alarm",
        "asked_at",
        "claimed",
        "claimed_replies",
        "closed_at",
        "connection",
        "failure",
        "flooded",
        "latencies",
        "marks",
        "name",
        "outcome",
        "pauses",
        "said",
        "setting",
        "stage",
        "step",
        "turns",
        "voice",
    )

    def __init__(self, name: str, setting: Setting, stage: Stage) -> None:
        self.name = name
        self.setting = setting
        self.stage = stage
        self.alarm = Alarm(setting.loop, self.resume)
        self.step = setting.script.steps[0]
        self.connection: Connection | None = None
        self.outcome = "running"
        self.failure: Failure | None = None
        self.marks: tuple[str, ...] = ()
        self.turns = 0
        self.claimed = 0
        self.claimed_replies = 0
        self.asked_at: float | None = None
        self.latencies = Latencies(setting.latencies)
        self.pauses: list[tuple[float, float | None]] = []
        self.closed_at: float | None = None
        self.flooded: str | None = None
        self.said = ""
        self.voice = Voice(name)
        self._past = (0, 0, 0, 0)
        self._course: Generator[None, None, None] | None
        self._course = flow.run(self, setting.script.steps)

    def resume(self) -> None:
        """Something may have happened that the script waits for."""
        course = self._course
        if course is None:
            return
        self.turns += 1
        try:
            next(course)
        except StopIteration:
            self._end("ok")
        except Failed as failed:
            self.failure = failed.failure
            self._end("failed")

    def drop(self) -> None:
        """Stop here and close. To be dropped is what a step `hang` waits for."""
        if self._course is None:
            return
        self._course.close()
        self._end("ok" if isinstance(self.step, Hang) else "dropped")

    def connect(self, step: Connect) -> Connection:
        """Leave the connection there may be, and begin a fresh one."""
        self.leave()
        self._past = self._counts()
        setting = self.setting
        connection = Connection(setting.loop, self.resume, Replies())
        self.connection = connection
        self.claimed = self.claimed_replies = 0
        self.closed_at = None
        connection.open(
            setting.target,
            setting.bind,
            step.receive_buffer,
            step.send_buffer,
            step.max_segment,
        )
        return connection

    def leave(self, reset: bool = False) -> None:
        """Close the connection if it is open."""
        connection = self.connection
        if connection is not None and connection.sock is not None:
            connection.close(reset)
            if connection.opened_at is not None:
                self.closed_at = time.monotonic()

    def opened(self) -> Connection:
        """The open connection. Raises Failed if there is none."""
        connection = self.connection
        if connection is None or connection.sock is None:
            raise Failed(from_errno(errno.ENOTCONN, "the script"))
        return connection

    def sendable(self) -> Connection:
        """The open connection, if nothing is wrong with it and the peer has not ended it."""
        connection = self.connection
        if connection is None or connection.sock is None:
            return self.opened()
        if connection.wrong is not None or connection.broken is not None:
            connection.check()
        if connection.eof_at is not None:
            raise connection.ended_early()
        return connection

    def check_replies(self) -> None:
        """Raise what is wrong with the replies; an end or a reset is only recorded."""
        connection = self.connection
        if connection is not None and connection.wrong is not None:
            raise Failed(connection.wrong)

    def draw(self, step: Message, times: int) -> Source:
        """The next `times` messages of a step."""
        if step.size is not None:
            return self.voice.say(step.size, times, step.newline)
        one = step.source
        return one if one is not None and times == 1 else Constant(step.content, times)

    def report(self) -> dict[str, object]:
        """The connection's report, as in docs/protocol.md."""
        return self.state() | {
            "silent": [[_rounded(start), _rounded(end)] for start, end in self.pauses[-_PAUSES:]],
            "latencies": self.latencies.pairs(),
        }

    def state(self) -> dict[str, object]:
        """The report without its lists, quickly made however long the script has run."""
        connection = self.connection or self._nowhere()
        sent, received, messages, replies = self._counts()
        return {
            "connection": self.name,
            "local": connection.local,
            "peer": connection.peer,
            "step": {"index": self.step.number, "doing": self.step.doing},
            "outcome": self.outcome,
            "failure": self._failure_report(),
            "sent": sent,
            "received": received,
            "messages": messages,
            "replies": replies,
            "opened": _rounded(connection.opened_at),
            "closed": _rounded(self.closed_at),
            "eof": _rounded(connection.eof_at),
            "reset": _rounded(connection.reset_at),
            "unanswered": _rounded(self.asked_at),
            "flooded": self.flooded,
            "said": self.said or escaped(bytes(connection.replies.said[:_SAID])) or None,
        }

    def _nowhere(self) -> Connection:
        """The connection of a player that has not come to its first `connect`."""
        return Connection(self.setting.loop, self.resume, Replies())

    def _end(self, outcome: str) -> None:
        connection = self.connection
        if connection is not None and outcome != "failed":
            wrong = connection.wrong
            if wrong is None and connection.replies.said:
                wrong = connection.replies.surplus()
            if wrong is not None:
                self.failure = wrong
                outcome = "failed"
        self.outcome = outcome
        self.alarm.cancel()
        self.leave()
        self._course = None
        self.stage.ended(self)

    def _counts(self) -> tuple[int, int, int, int]:
        sent, received, messages, replies = self._past
        connection = self.connection
        if connection is None:
            return self._past
        return (
            sent + connection.sent,
            received + connection.received,
            messages + connection.messages,
            replies + connection.replies.complete,
        )

    def _failure_report(self) -> dict[str, object] | None:
        failure = self.failure
        if failure is None:
            return None
        report: dict[str, object] = {
            "kind": failure.kind,
            "step": self.step.number,
            "detail": failure.detail,
            "errno": failure.errno,
        }
        if failure.at is not None:
            report |= {"at": failure.at, "expected": failure.expected, "got": failure.got}
        return report


def _rounded(moment: float | None) -> float | None:
    return None if moment is None else round(moment, 6)
