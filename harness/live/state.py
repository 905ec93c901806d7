"""What the live view shows, as plain data: filled by records of agents, probe and server.

Nothing here reads a clock or a socket, so a recorded run gives the same view every time. All times
are seconds of `CLOCK_MONOTONIC`, all sizes bytes.
"""

from __future__ import annotations

import statistics
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from iolab.harness.live.log import Address, ServerLog, plain

Record = Mapping[str, Any]

REMEMBERED_S = 10.0
"""How far back shares and rates look."""

LATENCIES = 20
"""The newest requests of a client whose median is shown."""


@dataclass
class Client:
    """A client of the lab, as `python -m client play --log json` tells of it.

    `address` is None until its node stands. A visitor is a person at the prompt.
    """

    name: str
    what: str
    count: int
    place: int
    address: str | None = None
    visitor: bool = False
    running: int = 0
    shown: Sequence[Record] = ()
    """The newest state of its connections; of many, only of the first."""
    latencies: deque[float] = field(default_factory=lambda: deque(maxlen=LATENCIES))
    plays: int = 0
    """How many playings of its script have ended."""
    failures: Counter[str] = field(default_factory=Counter)
    last_failure: str | None = None
    _messages: int = 0
    _replies: int = 0

    def take(self, record: Record) -> None:
        """One line of its: `status`, or `ended`; others change nothing here."""
        if record["event"] == "status":
            self.running, self.shown = record["running"], record["connections"]
            self.latencies.extend(
                one["latency_s"] for one in self.shown if one["latency_s"] is not None
            )
        elif record["event"] == "ended":
            self.plays += 1
            self._messages += record["messages"]
            self._replies += record["replies"]
            name = record["connection"]
            self.shown = [one for one in self.shown if one["connection"] != name]
            if record["outcome"] == "failed":
                self.failures[record["failure"]["kind"]] += 1
                self.last_failure = f"{record['failure']['kind']}: {record['failure']['detail']}"

    @property
    def messages(self) -> int:
        """Whole messages that it is known to have sent so far."""
        return self._messages + sum(int(one["messages"]) for one in self.shown)

    @property
    def replies(self) -> int:
        """Replies that are known to have come whole and right so far."""
        return self._replies + sum(int(one["replies"]) for one in self.shown)

    @property
    def latency_s(self) -> float | None:
        """Median of its newest requests; None when it has timed none."""
        return statistics.median(self.latencies) if self.latencies else None

    def unanswered_s(self, now: float) -> float | None:
        """How long its oldest open request has been waiting; None when none is."""
        asked = [one["unanswered"] for one in self.shown if one["unanswered"] is not None]
        return now - min(asked) if asked else None

    @property
    def doing(self) -> str:
        """What it is doing, in words; of many connections, what most of them are."""
        if self.visitor:
            return "typing at the prompt"
        if not self.shown:
            return "on its way" if self.address is None or not self.plays else "coming back"
        kinds = Counter(str(one["step"]["doing"]) for one in self.shown)
        if self.count == 1:
            return next(iter(kinds))
        most = " · ".join(f"{number} {words}" for words, number in kinds.most_common(2))
        return most if self.running <= len(self.shown) else f"{self.running}, as: {most}"


@dataclass(frozen=True, slots=True)
class Connection:
    """A socket of the server as the kernel has it. `fd` is None when no process holds it open."""

    peer: Address | None
    client: str | None
    number: int | None
    state: str
    recv_q: int
    send_q: int
    age_s: float
    fd: int | None
    inode: int

    @property
    def waits_for_accept(self) -> bool:
        """It is established, and the server has not taken it from the queue."""
        return self.fd is None and self.state in ("ESTABLISHED", "CLOSE-WAIT", "SYN-RECEIVED")

    @property
    def is_left(self) -> bool:
        """The peer has closed or reset it, and the server still holds it open.

        It may have answers to give first; if not, this is a dead socket.
        """
        return self.fd is not None and self.state in ("CLOSE-WAIT", "CLOSED")


@dataclass(frozen=True, slots=True)
class Thread:
    """What a thread of the server does: the system call, its descriptor, for how long."""

    tid: int
    state: str
    syscall: str | None
    fd: int | None
    of: str | None
    since_s: float | None


@dataclass(frozen=True, slots=True)
class Moment:
    """The server between two looks: CPU share (1.0 is one CPU), and wake-ups a second."""

    t: float
    cpu: float
    wakeups: float


RUNNING = "running"
LISTENER = "the listener"


@dataclass(frozen=True, slots=True)
class Span:
    """The main thread was in this call (or RUNNING) from `since` to `until`, on whose socket."""

    since: float
    until: float
    call: str
    of: str | None


@dataclass
class State:
    """Everything that the view shows. `until` is None when only the user ends the lab."""

    model: str
    title: str
    essay: str
    backend: str
    reply: str
    began: float
    until: float | None
    clients: dict[str, Client] = field(default_factory=dict)
    now: float = 0.0
    port: int = 0
    connections: Sequence[Connection] = ()
    kernel_only: Counter[str] = field(default_factory=Counter)
    """Rows that the kernel alone still keeps, by state: TIME-WAIT is no leak."""
    accept_queue: tuple[int, int] = (0, 0)
    threads: Sequence[Thread] = ()
    pid: int | None = None
    descriptors: int = 0
    rss: int = 0
    moments: deque[Moment] = field(default_factory=lambda: deque(maxlen=600))
    spans: deque[Span] = field(default_factory=deque)
    peak: int = 0
    cpu_s: float = 0.0
    typed: str | None = None
    cursor: int = 0

    def __post_init__(self) -> None:
        self.now = self.began
        self.log = ServerLog(self.whose, operator=self.reply == "operator")
        self._last: tuple[float, float, int] | None = None
        self.sockets: Mapping[int | None, str] = {}
        self._names: dict[str, str] = {}

    def arrive(self, name: str, address: str) -> None:
        """The client's node stands, at that address."""
        self.clients[name].address = address
        self._names[address] = name

    def whose(self, peer: Address) -> str | None:
        """The client at that address, also one that has left."""
        return self._names.get(peer[0])

    def leave(self, name: str) -> None:
        """A visitor has gone."""
        del self.clients[name]

    def open_of(self, name: str) -> int:
        """How many connections of the client the server holds open."""
        return sum(row.client == name and row.fd is not None for row in self.connections)

    def add_client(self, name: str, what: str, count: int = 1, *, visitor: bool = False) -> Client:
        """A client that joins; the order of joining is that of the view."""
        place = 1 + max((one.place for one in self.clients.values()), default=-1)
        client = Client(name, what, count, place, visitor=visitor)
        self.clients[name] = client
        return client

    def take(self, snapshot: Record) -> None:
        """A probe's snapshot (`docs/protocol.md`)."""
        fds = self._take_processes(snapshot)
        rows = [self._connection(row) for row in snapshot["sockets"] if row["state"] != "LISTEN"]
        shown = [row for row in rows if row.fd is not None or row.waits_for_accept]
        self.connections = sorted(shown, key=_by_descriptor)
        self.kernel_only = Counter(row.state for row in rows) - Counter(r.state for r in shown)
        listening = [row for row in snapshot["sockets"] if row["state"] == "LISTEN"]
        if listening:
            self.accept_queue = (
                sum(row["recv_q"] for row in listening),
                max(row["send_q"] for row in listening),
            )
        self.peak = max(self.peak, len(shown))
        self._take_threads(snapshot, fds)

    @property
    def main(self) -> Thread | None:
        """The server's main thread."""
        return next((one for one in self.threads if one.tid == self.pid), None)

    def recent(self, within_s: float = REMEMBERED_S) -> Sequence[Moment]:
        """The newest moments."""
        return [one for one in self.moments if one.t > self.now - within_s]

    def take_activity(self, activity: Record) -> None:
        """What the probe saw the main thread do over a stretch of time."""
        main = next((one for one in activity["threads"] if one["tid"] == self.pid), None)
        if main is None:
            return
        seen = main["timeline"]
        # What was seen lasts until something else was seen.
        ends = [*(after[0] for after in seen[1:]), activity["to"]]
        # Stretches may overlap, so that nothing between them goes unseen.
        known = self.spans[-1].until if self.spans else 0.0
        for (since, _, state, call, fd), until in zip(seen, ends, strict=True):
            name = RUNNING if state == "R" or call is None else call
            if until > known:
                self.spans.append(Span(max(since, known), until, name, self.sockets.get(fd)))
        while self.spans and self.spans[0].until < self.now - 2 * REMEMBERED_S:
            self.spans.popleft()

    def shares(self) -> Mapping[tuple[str, str | None], float]:
        """Shares of the calls, and of whose sockets, in what the main thread did lately."""
        lasted: dict[tuple[str, str | None], float] = {}
        for one in self.spans:
            if one.until > self.now - REMEMBERED_S:
                what = one.call, one.of
                lasted[what] = lasted.get(what, 0.0) + one.until - one.since
        whole = sum(lasted.values())
        ordered = sorted(lasted.items(), key=lambda item: -item[1])
        return {what: seconds / whole for what, seconds in ordered} if whole else {}

    def _connection(self, row: Record) -> Connection:
        peer = (plain(row["peer"][0]), int(row["peer"][1])) if row["peer"] else None
        owners = row["owners"]
        return Connection(
            peer=peer,
            client=self.whose(peer) if peer else None,
            number=self.log.numbers.get(peer) if peer and owners else None,
            state=row["state"],
            recv_q=row.get("recv_q", 0),
            send_q=row.get("send_q", 0),
            age_s=row["age_s"] or 0.0,
            fd=owners[0][1] if owners else None,
            inode=row["inode"],
        )

    def _take_processes(self, snapshot: Record) -> Mapping[int, str]:
        """CPU, memory and descriptors; gives the main process's descriptors."""
        self.pid = snapshot["main"]
        fds: Mapping[int, str] = {}
        self.descriptors = self.rss = 0
        for process in snapshot["processes"]:
            self.rss += process["rss"]
            opened = _read(process["fds"], {})
            self.descriptors += len(opened)
            if process["pid"] == self.pid:
                fds = {int(number): target for number, target in opened.items()}
        return fds

    def _take_threads(self, snapshot: Record, fds: Mapping[int, str]) -> None:
        names = {row.inode: _name(row) for row in self.connections}
        names |= {row["inode"]: LISTENER for row in snapshot["sockets"] if row["state"] == "LISTEN"}
        inodes = {fd: _inode(target) for fd, target in fds.items()}
        self.sockets = {fd: names[inode] for fd, inode in inodes.items() if inode in names}
        threads, switches, cpu_s = [], 0, 0.0
        for process in snapshot["processes"]:
            cpu_s += _read(process["cpu_s"], 0.0)
            for one in _read(process["threads"], ()):
                switches += one["switches"][0]
                of = self.sockets.get(one["fd"]) if process["pid"] == self.pid else None
                threads.append(
                    Thread(one["tid"], one["state"], one["syscall"], one["fd"], of, one["since_s"])
                )
        self.threads = sorted(threads, key=lambda one: one.tid != self.pid)
        self.cpu_s = cpu_s
        t = snapshot["t"]
        if self._last is not None and t > self._last[0]:
            past, cpu_before, switches_before = self._last
            lasted = t - past
            # Threads and processes that ended took their counts with them.
            cpu = max(0.0, cpu_s - cpu_before) / lasted
            wakeups = max(0, switches - switches_before) / lasted
            self.moments.append(Moment(t, cpu, wakeups))
        self._last = (t, cpu_s, switches)


def _by_descriptor(row: Connection) -> tuple[bool, int, float]:
    return row.fd is None, row.fd or 0, -row.age_s


def _name(row: Connection) -> str:
    who = row.client or (f"{row.peer[0]}:{row.peer[1]}" if row.peer else "a peer that is gone")
    return who if row.number is None else f"{who} #{row.number}"


def _inode(target: str) -> int:
    return int(target[len("socket:[") : -1]) if target.startswith("socket:[") else -1


def _read(value: Any, otherwise: Any) -> Any:
    """What the probe read, or `otherwise` where it could not (the process was just ending)."""
    return otherwise if isinstance(value, dict) and "unreadable" in value else value
