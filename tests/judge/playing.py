"""Observations made by hand, in the words of `docs/protocol.md` and `harness/observations.py`."""

from __future__ import annotations

from typing import Any

from iolab.harness.judge import Finding, Judgement, judge

Record = dict[str, Any]

SERVER = ["10.91.0.2", 9000]
MAIN = 14
LISTENER = 100


def client(k: int = 0) -> list[Any]:
    """The address of the k-th scripted connection."""
    return ["10.91.0.4", 50_000 + k]


def row(peer: list[Any] | None, state: str = "ESTABLISHED", **fields: Any) -> Record:
    """One socket of the subject, held by descriptor 7 unless said otherwise."""
    return {
        "family": 4,
        "state": state,
        "local": SERVER,
        "peer": peer,
        "inode": 1_000,
        "owners": [[MAIN, 7]],
        "recv_q": 0,
        "send_q": 0,
        "age_s": 2.0,
        **fields,
    }


def listener() -> Record:
    """The subject's listening socket."""
    return row(None, "LISTEN", inode=LISTENER, owners=[[MAIN, 3]])


def thread(syscall: str | None = "select", **fields: Any) -> Record:
    """What a thread is doing; by default it waits for events."""
    return {"tid": MAIN, "syscall": syscall, "fd": None, "since_s": 0.5, **fields}


def process(pid: int = MAIN, *threads: Record, state: str = "S", **fields: Any) -> Record:
    """A process of the subject, with standard streams and its listener."""
    sockets = {"3": f"socket:[{LISTENER}]"}
    return {
        "pid": pid,
        "name": "python3",
        "state": state,
        "rss": 10 << 20,
        "fds": {"0": "/dev/null", "1": "pipe:[5]", "2": "pipe:[6]", **sockets},
        "threads": list(threads) or [thread(tid=pid)],
        **fields,
    }


class Observed:
    """The records of one playing, in the order in which they are added, 0.1 s apart."""

    def __init__(self, scenario: str = "disconnect.rst-idle", **promises: Any) -> None:
        self.t = 100.0
        self.records: list[Record] = []
        self.add(
            "lab", kind="scenario", id=scenario, label=scenario, quiet=False, promises=promises
        )
        self.add("lab", kind="target", address=SERVER)

    def add(self, source: str, **fields: Any) -> Record:
        self.t += 0.1
        record = {"t": round(self.t, 3), "source": source, **fields}
        self.records.append(record)
        return record

    def lab(self, kind: str, **fields: Any) -> Record:
        """A record of the lab's own."""
        return self.add("lab", kind=kind, **{"round": 1, **fields})

    def group(self, name: str, must: str = "served", count: int = 1, owed: int = 0) -> None:
        """So many connections begin, each of which the subject owes so much."""
        self.lab("group", group=name, must=must, owed=owed, count=count, client="actors")

    def report(
        self, connection: str, outcome: str = "ok", failure: Record | None = None, **fields: Any
    ) -> Record:
        """How a connection fared."""
        number = int(connection.rpartition("#")[2])
        report = {
            "connection": connection,
            "local": client(number),
            "peer": SERVER,
            "outcome": outcome,
            "failure": failure,
            "step": {"index": "2", "doing": "waiting for 14 bytes"},
            "sent": 14,
            "received": 0,
            "messages": 1,
            "replies": 0,
            "closed": None,
            "eof": None,
            "reset": None,
            "silent": [],
            "latencies": [],
            "unanswered": None,
            **fields,
        }
        self.add("actors", op="report", request={}, ok=True, connections=[report])
        return report

    def failed(self, connection: str, kind: str, detail: str = "", **fields: Any) -> None:
        """A connection that failed so at its second step."""
        if kind in ("mismatch", "surplus"):
            fields = {"at": 3, "expected": "lo", "got": "la", **fields}
        failure = {"kind": kind, "step": "2", "detail": detail, "errno": None, **fields}
        self.report(connection, "failed", failure)

    def bystander(self, connection: str = "holder#0", outcome: str = "ok", **fields: Any) -> None:
        """The report of a healthy client, whose group is made known with the first."""
        group = connection.rpartition("#")[0]
        self.group(group, must="promptly")
        local = ["10.91.0.3", 40_000]
        self.report(connection, outcome, **{"local": local, **fields})

    def snapshot(self, label: str, *rows: Record, **fields: Any) -> Record:
        """What the probe saw of the subject."""
        snapshot = {
            "label": label,
            "t": round(self.t, 3),
            "sockets": [listener(), *rows],
            "other_sockets": [],
            "processes": [process()],
            "counters": {},
            **fields,
        }
        self.add("probe", op="snapshot", request={}, ok=True, snapshot=snapshot)
        return snapshot

    def trigger(self, *groups: str) -> None:
        self.lab("trigger", groups=list(groups), quiet=False)

    def removal(
        self,
        *peers: list[Any],
        held: bool,
        inodes: tuple[int, ...] = (),
        late: Record | None = None,
    ) -> None:
        """These were to be gone at once."""
        self.lab(
            "removal",
            peers=list(peers),
            inodes=list(inodes),
            within_s=1.0,
            promise="at once",
            held=held,
            late=late,
            after_s=1.0,
        )

    def settled(self, held: bool = True, number: int = 1, connections: int = 20) -> None:
        """The end of a round whose snapshot was taken before."""
        self.lab(
            "settled",
            round=number,
            label=f"round {number}",
            held=held,
            connections=connections,
            peers=[],
            inodes=[LISTENER],
        )

    def end(self, *said: str, status: int | None = None) -> None:
        self.lab("end", status=status, log=[[self.t, "stdout", line] for line in said])

    def judged(self) -> Judgement:
        return judge(self.records)


def evidence(finding: Finding) -> str:
    """All that a finding says, as one text."""
    return "\n".join((finding.summary, *finding.evidence))
