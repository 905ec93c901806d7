"""The lab's own records, a type each; `docs/records.md` is made from them."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from iolab.harness.record.base import VERSION, Address, Kind
from iolab.harness.record.probe import Process

Must = Literal["served", "promptly", "served-or-refused", "in-turn-or-refused", "ended", "nothing"]


class Header(Kind, kw_only=True, tag="scenario"):
    """First of all: what is played, against whom, what the subject promises, what is judged."""

    version: int = VERSION
    id: str
    label: str
    title: str
    expects: str
    case: str
    quiet: bool
    family: int
    backend: str
    subject: str
    promises: dict[str, Any]
    names_restless: bool = False
    names_slow: bool = False


class Group(Kind, kw_only=True, tag="group"):
    """Connections begin in the node `client`; `must`, `owed`: what is demanded of their replies."""

    group: str
    must: Must
    count: int
    client: str
    owed: int = 0


class Owed(Kind, kw_only=True, tag="owed"):
    """How many replies the subject owes by now, by the peer: those to messages that it has read."""

    group: str
    replies: list[tuple[Address, int]]


class Target(Kind, kw_only=True, tag="target"):
    """Where the subject is reached."""

    address: Address


class Bystanders(Kind, kw_only=True, tag="bystanders"):
    """The healthy clients have connected; `beside`: which groups stay beside the scripts."""

    groups: list[str]
    beside: list[str]


class Stuck(Kind, kw_only=True, tag="stuck"):
    """A bystander could neither rest nor end in time: it is in the middle of a request."""

    group: str
    error: str


class Deaf(Kind, kw_only=True, tag="deaf"):
    """The subject did not listen in time; `elsewhere`: not where its clients come to."""

    within_s: float
    port: int
    elsewhere: bool


class Unstartable(Kind, kw_only=True, tag="unstartable"):
    """The subject's command cannot be started."""

    error: str


class Astray(Kind, kw_only=True, tag="astray"):
    """These words of the subject's command name files that are not in the folder it runs in."""

    words: list[str]
    folder: str


class Trigger(Kind, kw_only=True, tag="trigger"):
    """From here on the subject must act; in a quiet playing nobody speaks any more."""

    groups: list[str]


class Unready(Kind, kw_only=True, tag="unready"):
    """A group did not come to where the scenario wanted it before it began."""

    group: str
    mark: str
    error: str


class Proof(Kind, kw_only=True, tag="proof"):
    """A circumstance that the scenario's name claims was (`held`) or was not shown."""

    claim: str
    held: bool
    seen: Any = None


class FaultPhase(Kind, kw_only=True, tag="fault"):
    """A fault was injected or healed, with the evidence."""

    fault: str
    phase: Literal["inject", "heal"]
    fields: dict[str, Any]
    seen: dict[str, Any]


class HeldUp(Kind, kw_only=True, tag="held-up"):
    """The lab itself held up the subject, or the node `client`, for a share of that time.

    Said when it begins (`until` is null), and once more, with the same `since`, when it ends.
    """

    since: float
    why: str
    until: float | None = None
    client: str | None = None
    share: float = 1.0


class NotShown(Kind, kw_only=True, tag="unproven"):
    """A fault or circumstance could not be shown to hold, and the scenario ended there."""

    reason: str


class Aborted(Kind, kw_only=True, tag="aborted"):
    """The scenario could not go on."""

    error: str


class Afterwards(msgspec.Struct, kw_only=True):
    """Whether it `held` after as long again; `looks`: when was looked around that, by `t`."""

    held: bool
    looks: tuple[float, float]


class Removal(Kind, kw_only=True, tag="removal"):
    """These connections must be gone; `held` says whether the probe saw that in time."""

    peers: list[Address]
    inodes: list[int]
    within_s: float
    promise: str
    held: bool
    late: Afterwards | None = None


class Settled(Kind, kw_only=True, tag="settled"):
    """After a round only bystanders may be left; `label`: the snapshot taken then."""

    label: str
    held: bool
    connections: int
    peers: list[Address]
    inodes: list[int]


class Turnover(Kind, kw_only=True, tag="turnover"):
    """So many connections come and go in this round, if not one for each script."""

    connections: int


class Calm(Kind, kw_only=True, tag="calm"):
    """With nobody speaking the subject did (`held`) or did not rest."""

    when: str
    held: bool
    seen: str | None = None


class Growth(Kind, kw_only=True, tag="growth"):
    """Resident memory, in bytes, while much was offered to the subject."""

    before: int
    grown: int
    offered: int
    allowed: int
    how: str


class Policy(Kind, kw_only=True, tag="policy"):
    """A choice that is the subject's own."""

    of_what: str
    seen: str


class Figure(Kind, kw_only=True, tag="figure"):
    """A measured number for the report."""

    name: str
    value: float
    unit: str


class Limit(Kind, kw_only=True, tag="limit"):
    """The subject's memory (bytes) and CPUs were limited from here on; null: no more."""

    memory: int | None
    cpus: float | None


class Output(Kind, kw_only=True, tag="output"):
    """Nobody reads the subject's output any more (`held`), or somebody does again."""

    held: bool


class AskedToStop(Kind, kw_only=True, tag="asked-to-stop"):
    """The subject's main process was sent this signal; from now on it is expected to end."""

    signal: str


class ListensOn(Kind, kw_only=True, tag="listens-on"):
    """Asked to stop, the subject still listens (`held`), or does not any more."""

    held: bool


class Stop(Kind, kw_only=True, tag="stop"):
    """The subject's end was awaited; `allowed`: with which statuses, null for any."""

    status: int | None
    within_s: float
    asked: str
    allowed: list[int] | None


class Survivors(Kind, kw_only=True, tag="survivors"):
    """Processes of the subject outlived its main process; `listeners`: who holds its listener."""

    processes: list[Process]
    listeners: list[int]


class Restart(Kind, kw_only=True, tag="restart"):
    """The subject was started again: `listening` or not."""

    listening: bool


class SecondInstance(Kind, kw_only=True, tag="second"):
    """How a second instance on the same port fared: null, it runs; and whether it listens."""

    status: int | None
    said: list[str]
    listens: bool


class Left(msgspec.Struct, kw_only=True):
    """A process that goes on when the subject's command has ended, and where it listens."""

    pid: int
    name: str
    listens: list[Address]


class Death(Kind, kw_only=True, tag="death"):
    """The subject has ended by itself; `left`: what it started, and what goes on."""

    status: int
    left: tuple[Left, ...] = ()


class End(Kind, kw_only=True, tag="end"):
    """Last of all: the subject's exit status and its log, as `[t, stream, line]`."""

    status: int | None
    log: list[tuple[float, str, str]]
