"""One small story, played against each model, with the kernel as the witness.

A slow client connects and sends its messages a byte at a time; a little later a quick one connects
and asks again and again. Meanwhile the probe samples what every thread of the server is doing, and
sees each packet; the server's own log tells when it took a connection and let it go. All that is
kept as it was measured, times in milliseconds from the beginning.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from iolab.harness.backends.base import Backend
from iolab.harness.errors import UsageError
from iolab.harness.judge.scene import address
from iolab.harness.lab.lab import Lab
from iolab.harness.lab.steps import Step, ask, close, connect, idle, repeat
from iolab.harness.places import ROOT
from iolab.harness.record.probe import Snapshot
from iolab.harness.record.recorder import Recorder
from iolab.harness.subject.manifest import Subject

KEPT_IN = ROOT / "docs" / "pictures"

LASTS_S = 3.2
SAMPLED_EVERY_S = 0.001
LOOKED_EVERY_S = 0.15
LOGGED_WITHIN_MS = 20.0
QUICK_COMES_AFTER_S = 0.3

SLOW: Sequence[Step] = (
    connect(),
    ask("slow", piece=1, pause_s=0.2),
    idle(0.3),
    ask("sure", piece=1, pause_s=0.2),
    close(),
)
QUICK: Sequence[Step] = (
    connect(),
    repeat([ask("quick", within_s=10)], every_s=0.25, times=6),
    close(),
)

Span = tuple[float, float, str, str | None]
"""From, to, what it was in (a system call, or RUNNING), and whose descriptor that was about."""

RUNNING = "running"
LISTENER = "listener"


@dataclass(frozen=True)
class Thread:
    """What one thread did. `voluntary`: how often it went to sleep by itself; `woken`: when it was
    seen to have been awake in between, though for less time than from one sample to the next.
    """

    name: str
    spans: Sequence[Span]
    woken: Sequence[float]
    voluntary: int
    forced: int


@dataclass(frozen=True)
class Client:
    """One client as its packets and the server's log tell. `said`, `answered`: [ms, bytes]."""

    connected: float
    accepted: float
    closed: float
    said: Sequence[tuple[float, int]]
    answered: Sequence[tuple[float, int]]


@dataclass(frozen=True)
class Recording:
    """The story as it went with one model; times in milliseconds."""

    model: str
    kernel: str
    lasted: float
    cpu: float
    samples: int
    clients: Mapping[str, Client]
    threads: Sequence[Thread]

    def save(self) -> None:
        """Keep it for the drawings."""
        KEPT_IN.mkdir(parents=True, exist_ok=True)
        text = json.dumps(asdict(self), separators=(",", ":"))
        # A line for each span: what changes from run to run can be read.
        (KEPT_IN / f"{self.model}.json").write_text(text.replace("],[", "],\n[") + "\n")


def load(path: Path) -> Recording:
    """A recording that was kept."""
    data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    data["clients"] = {name: Client(**client) for name, client in data["clients"].items()}
    data["threads"] = [Thread(**thread) for thread in data["threads"]]
    return Recording(**data)


def record(backend: Backend, subject: Subject) -> Recording:
    """Play the story once.

    Raises UsageError on a backend that does not see packets, or when the server does not listen.
    """
    if "capture" in backend.missing():
        raise UsageError(f"--backend: {backend.name} sees no packets, so it cannot record")
    nodes = backend.open_lab(subject)
    try:
        lab = Lab(
            nodes,
            subject,
            4,
            Recorder(),
            quiet=False,
            case=None,
            scale=1,
            others_wait=False,
        )
        try:
            return _play(lab)
        finally:
            lab.close()
    finally:
        nodes.close()


def _play(lab: Lab) -> Recording:
    process = lab.life.start()
    if not lab.probe.sees({"listening": lab.port}, lab.subject.start_s):
        said = [line for _, _, line in process.log()] or ["it said nothing"]
        raise UsageError(f"--model: {lab.subject.name} does not listen: {said[-1]}")
    for name in ("slow", "quick"):
        lab.client(name)
    sampling = lab.probe.channel.send("activity", within_s=LASTS_S, every_s=SAMPLED_EVERY_S)
    slow = lab.play("slow", *SLOW, client="slow")
    lab.let_pass(QUICK_COMES_AFTER_S)
    quick = lab.play("quick", *QUICK, client="quick")
    looks = []
    while not sampling.done():
        looks.append(lab.probe.snapshot("look"))
        lab.let_pass(LOOKED_EVERY_S)
    activity = sampling.result()
    for group in (slow, quick):
        if not group.ended(within_s=15):
            raise UsageError(f"--model: {lab.subject.name} left the {group.name} client unanswered")
    return _Reader(lab, activity, looks).recording()


class _Reader:
    """Puts together what agents, probe and server have told."""

    def __init__(self, lab: Lab, activity: Mapping[str, Any], looks: Sequence[Snapshot]) -> None:
        self._lab = lab
        self._activity = activity
        self._looks = looks
        self._begin = float(activity["from"])
        self._events = list(self._log())
        self._clients = {name: self._client(name) for name in ("slow", "quick")}
        self._fds = {name: self._descriptors(name) for name in self._clients}

    def recording(self) -> Recording:
        activity = self._activity
        threads = [self._thread(one) for one in activity["threads"]]
        return Recording(
            model=self._lab.subject.name,
            kernel=_kernel(),
            lasted=self._ms(activity["to"]),
            cpu=round(sum(one["cpu_s"] for one in activity["processes"]) * 1000, 1),
            samples=max(one["samples"] for one in activity["threads"]),
            clients=self._clients,
            # Those that only write the log, or wait for a signal to stop, serve nobody.
            threads=[one for place, one in enumerate(threads) if place == 0 or _serves(one)],
        )

    def _ms(self, t: float) -> float:
        return round((t - self._begin) * 1000, 1)

    def _log(self) -> Iterator[Mapping[str, Any]]:
        assert self._lab.life.process is not None
        for _, _, line in self._lab.life.process.log():
            if line.startswith("{"):
                yield json.loads(line)

    def _client(self, name: str) -> Client:
        agent = self._lab.client(name)
        [report] = self._lab.groups[name].report()
        packets = self._lab.probe.request("packets", peer=agent.address)["packets"]
        mine = [event for event in self._events if event.get("peer") == address(report.local)]
        moments = {event["event"]: self._ms(event["t"]) for event in mine}
        return Client(
            connected=self._ms(packets[0][0]),
            accepted=moments["accepted"],
            closed=moments["closed"],
            said=[(self._ms(p[0]), p[9]) for p in packets if p[1] == "in" and p[9]],
            answered=[(self._ms(p[0]), p[9]) for p in packets if p[1] == "out" and p[9]],
        )

    def _descriptors(self, name: str) -> set[int]:
        """Which descriptors of the server the client's connection was seen to have."""
        [report] = self._lab.groups[name].report()
        return {
            fd
            for look in self._looks
            for row in look.sockets
            if row.peer == report.local
            for _, fd in row.owners
        }

    def _thread(self, one: Mapping[str, Any]) -> Thread:
        seen = one["timeline"]
        # What was seen lasts until something else was seen, or until the thread was seen no more.
        ends = [*(later[0] for later in seen[1:]), seen[-1][1]]
        spans: list[Span] = []
        for (since, _, state, call, fd), until in zip(seen, ends, strict=True):
            doing = RUNNING if state == "R" or call is None else call
            for begin, end in self._cut(self._ms(since), self._ms(until)):
                whose = None if doing == RUNNING else self._whose(fd, (begin + end) / 2)
                if spans and spans[-1][2:] == (doing, whose):
                    begin = spans.pop()[0]
                spans.append((begin, end, doing, whose))
        voluntary, forced = one["switches"]
        woken = [self._ms(t) for t in one["slept"]]
        return Thread(one["name"], spans, woken, voluntary, forced)

    def _cut(self, begin: float, end: float) -> Iterator[tuple[float, float]]:
        """Where a client comes or goes, as the next one may get its descriptor."""
        ends = {moment for client in self._clients.values() for moment in _life(client)}
        cuts = [begin, *sorted(moment for moment in ends if begin < moment < end), end]
        return pairwise(cuts)

    def _whose(self, fd: int | None, at: float) -> str | None:
        for name, client in self._clients.items():
            begin, end = _life(client)
            if fd in self._fds[name] and begin <= at <= end:
                return name
        listening = {fd for look in self._looks for row in look.listeners for _, fd in row.owners}
        return LISTENER if fd in listening else None


def _life(client: Client) -> tuple[float, float]:
    """From when to when the server had its connection; the log tells a little after the call."""
    return client.accepted - LOGGED_WITHIN_MS, client.closed


def _serves(thread: Thread) -> bool:
    return any(whose is not None for _, _, _, whose in thread.spans)


def _kernel() -> str:
    return Path("/proc/sys/kernel/osrelease").read_text().split("-")[0].strip()
