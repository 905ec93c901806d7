"""Records made by hand, as the lab, agents and probe make them."""

from __future__ import annotations

from typing import Any

from iolab.harness.judge import Finding, Judgement, judge
from iolab.harness.record import kinds
from iolab.harness.record.agent import Failure, FailureKind, Report, Reports, Step
from iolab.harness.record.base import Address, Kind, Record
from iolab.harness.record.probe import Late, Looked, Process, Row, Snapshot, Thread

SERVER = ("10.91.0.2", 9000)
MAIN = 14
LISTENER = 100


def client(k: int = 0) -> Address:
    """The address of the k-th scripted connection."""
    return "10.91.0.4", 50_000 + k


def row(peer: Address | None, state: str = "ESTABLISHED", **fields: Any) -> Row:
    """One socket of the subject, held by descriptor 7 unless said otherwise."""
    usual = {"local": SERVER, "inode": 1_000, "owners": [(MAIN, 7)], "age_s": 2.0}
    return Row(peer=peer, state=state, **{**usual, **fields})


def listener(**fields: Any) -> Row:
    """The subject's listening socket."""
    return row(None, "LISTEN", **{"inode": LISTENER, "owners": [(MAIN, 3)], **fields})


def thread(syscall: str | None = "select", **fields: Any) -> Thread:
    """What a thread is doing; by default it waits for events."""
    return Thread(syscall=syscall, **{"tid": MAIN, "since_s": 0.5, **fields})


def process(pid: int = MAIN, *threads: Thread, **fields: Any) -> Process:
    """A process of the subject, with standard streams and its listener."""
    sockets = {"3": f"socket:[{LISTENER}]"}
    usual = {
        "name": "python3",
        "state": "S",
        "rss": 10 << 20,
        "fds": {"0": "/dev/null", "1": "pipe:[5]", "2": "pipe:[6]", **sockets},
        "threads": list(threads) or [thread(tid=pid)],
    }
    return Process(pid=pid, **{**usual, **fields})


def failure(kind: FailureKind, **fields: Any) -> Failure:
    """It failed so at its second step."""
    if kind in ("mismatch", "surplus"):
        fields = {"at": 3, "expected": "lo", "got": "la", **fields}
    return Failure(kind=kind, **{"step": "2", **fields})


class Observed:
    """The records of one playing, in the order in which they are added, 0.1 s apart."""

    def __init__(
        self,
        scenario: str = "disconnect.rst-idle",
        *,
        names_restless: bool = False,
        names_slow: bool = False,
        **promises: Any,
    ) -> None:
        self.t = 100.0
        self.records: list[Record] = []
        self.add(
            kinds.Header(
                id=scenario,
                label=scenario,
                title=scenario,
                expects=scenario,
                case="",
                quiet=False,
                family=4,
                backend="none",
                subject="nobody",
                promises=promises,
                names_restless=names_restless,
                names_slow=names_slow,
            )
        )
        self.add(kinds.Target(address=SERVER))

    def add(self, record: Record, source: str = "lab") -> None:
        """It is said now, if it does not say when."""
        self.t += 0.1
        record.t = record.t or round(self.t, 3)
        record.source = source
        self.records.append(record)

    def late(self, late_s: float, source: str = "probe") -> None:
        """The loop of an agent or probe was late by so much."""
        self.add(Late(late_s=late_s), source)

    def round(self, number: int, record: Kind) -> None:
        """A record of that round."""
        record.round = number
        self.add(record)

    def group(self, name: str, must: kinds.Must = "served", count: int = 1, owed: int = 0) -> None:
        """So many connections begin, each of which the subject owes so much."""
        node = "bystanders" if must == "promptly" else "actors"
        self.add(kinds.Group(group=name, must=must, owed=owed, count=count, client=node))

    def report(
        self, connection: str, outcome: Any = "ok", failure: Failure | None = None, **fields: Any
    ) -> Report:
        """How a connection fared."""
        number = int(connection.rpartition("#")[2])
        usual = {"local": client(number), "sent": 14, "received": 0, "messages": 1, "replies": 0}
        report = Report(
            connection=connection,
            outcome=outcome,
            failure=failure,
            step=Step(index="2", doing="waiting for 14 bytes"),
            **{**usual, **fields},
        )
        self.add(Reports(connections=[report]), "actors")
        return report

    def failed(self, connection: str, kind: FailureKind, detail: str = "", **fields: Any) -> Report:
        """A connection that failed so at its second step; `fields` of the failure or the report."""
        compared = {name: fields.pop(name) for name in ("at", "expected", "got") if name in fields}
        told = failure(kind, detail=detail, **compared)
        return self.report(connection, "failed", told, **fields)

    def bystander(self, connection: str = "holder#0", outcome: str = "ok", **fields: Any) -> None:
        """The report of a healthy client, whose group is made known with the first."""
        group = connection.rpartition("#")[0]
        self.group(group, must="promptly")
        local = ("10.91.0.3", 40_000)
        self.report(connection, outcome, **{"local": local, **fields})

    def snapshot(self, label: str, *rows: Row, **fields: Any) -> Snapshot:
        """What the probe saw of the subject."""
        usual = {"t": round(self.t, 3), "sockets": [listener(), *rows], "processes": [process()]}
        snapshot = Snapshot(label=label, **{**usual, **fields})
        self.add(Looked(snapshot=snapshot), "probe")
        return snapshot

    def trigger(self, *groups: str) -> None:
        self.add(kinds.Trigger(groups=list(groups)))

    def held_up(self, since: float, until: float | None, **fields: Any) -> None:
        """The lab held up somebody, the subject unless said otherwise."""
        self.add(kinds.HeldUp(since=since, until=until, why="as the lab wants it", **fields))

    def removal(
        self,
        *peers: Address,
        held: bool,
        inodes: tuple[int, ...] = (),
        late: kinds.Afterwards | None = None,
    ) -> None:
        """These were to be gone at once."""
        self.add(
            kinds.Removal(
                peers=list(peers),
                inodes=list(inodes),
                within_s=1.0,
                promise="at once",
                held=held,
                late=late,
            )
        )

    def settled(
        self,
        held: bool = True,
        number: int = 1,
        connections: int = 20,
        peers: tuple[Address, ...] = (),
        inodes: tuple[int, ...] = (LISTENER,),
    ) -> None:
        """The end of a round whose snapshot was taken before."""
        self.round(
            number,
            kinds.Settled(
                label=f"round {number}",
                held=held,
                connections=connections,
                peers=list(peers),
                inodes=list(inodes),
            ),
        )

    def end(self, *said: str, status: int | None = None) -> None:
        self.add(kinds.End(status=status, log=[(self.t, "stdout", line) for line in said]))

    def judged(self) -> Judgement:
        return judge(self.records)


def evidence(finding: Finding) -> str:
    """All that a finding says, as one text."""
    return "\n".join((finding.summary, *finding.evidence))
