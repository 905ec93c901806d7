"""A story played against a model, with the kernel as the witness.

While the clients do what their scripts say, the probe samples what every thread of the server is
doing and what waits in its sockets, and sees each packet; the server's own log tells when it took a
connection and let it go. All that is kept as it was measured, times in milliseconds from the
beginning.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from iolab.harness.backends.base import Backend
from iolab.harness.errors import UsageError
from iolab.harness.judge.scene import address
from iolab.harness.lab.lab import Lab
from iolab.harness.pictures.stories import GO, Story
from iolab.harness.places import ROOT
from iolab.harness.record.probe import Snapshot
from iolab.harness.record.recorder import Recorder
from iolab.harness.subject.manifest import Subject

KEPT_IN = ROOT / "docs" / "pictures"

SAMPLED_EVERY_S = 0.001
LOOKED_EVERY_S = 0.15
LOGGED_WITHIN_MS = 20.0
LOGGED_WITHIN_S = 10.0


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
    """One client as its packets and the server's log tell. `said`, `answered`: [ms, bytes].

    `queue` is its connection's receive queue at the server, at each change: [ms, bytes that have
    come and are in the socket, bytes that have come in all]. The rest of them are copied.
    """

    connected: float
    accepted: float
    closed: float
    said: Sequence[tuple[float, int]]
    answered: Sequence[tuple[float, int]]
    queue: Sequence[tuple[float, int, int]] = ()


@dataclass(frozen=True)
class Recording:
    """A story as it went with one model; times in milliseconds."""

    model: str
    story: str
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
        kept_as(self.model, self.story).write_text(text.replace("],[", "],\n[") + "\n")


def kept_as(model: str, story: str) -> Path:
    """The file of a recording."""
    return KEPT_IN / f"{model}-{story}.json"


def load(model: str, story: str) -> Recording:
    """A recording that was kept. Raises UsageError if there is none."""
    path = kept_as(model, story)
    if not path.exists():
        raise UsageError(f"{path.relative_to(ROOT)}: is missing; `make pictures` records it")
    data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    data["clients"] = {name: Client(**client) for name, client in data["clients"].items()}
    data["threads"] = [Thread(**thread) for thread in data["threads"]]
    return Recording(**data)


def record(backend: Backend, subject: Subject, story: Story) -> Recording:
    """Play a story once.

    Raises UsageError on a backend that does not see packets, or when the server does not listen.
    """
    if "capture" in backend.missing():
        raise UsageError(f"--backend: {backend.name} sees no packets, so it cannot record")
    subject = replace(subject, command=(*subject.command, *story.flags))
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
            return _play(lab, story)
        finally:
            lab.close()
    finally:
        nodes.close()


def _play(lab: Lab, story: Story) -> Recording:
    process = lab.life.start()
    if not lab.probe.sees({"listening": lab.port}, lab.subject.start_s):
        said = [line for _, _, line in process.log()] or ["it said nothing"]
        raise UsageError(f"--model: {lab.subject.name} does not listen: {said[-1]}")
    for name in story.scripts:
        lab.client(name)
    sampling = lab.probe.channel.send(
        "activity", within_s=story.lasts_s, every_s=SAMPLED_EVERY_S, port=lab.port
    )
    groups = []
    for name, steps in story.scripts.items():
        groups.append(lab.play(name, *steps, client=name))
        lab.let_pass(story.apart_s)
    for group in groups:
        group.go(GO)
    looks = []
    while not sampling.done():
        looks.append(lab.probe.snapshot("look"))
        lab.let_pass(LOOKED_EVERY_S)
    activity = sampling.result()
    for group in groups:
        if not group.ended(within_s=15):
            raise UsageError(f"--model: {lab.subject.name} left the {group.name} client unanswered")
    deadline = time.monotonic() + LOGGED_WITHIN_S
    while sum(event["event"] == "closed" for event in _logged(lab)) < len(groups):
        if time.monotonic() > deadline:
            raise UsageError(f"--model: {lab.subject.name} did not log that its clients have gone")
        lab.let_pass(LOGGED_WITHIN_MS / 1000)
    return _Reader(lab, story, activity, looks).recording()


def _logged(lab: Lab) -> Iterator[Mapping[str, Any]]:
    """What the server has logged until now."""
    assert lab.life.process is not None
    for _, _, line in lab.life.process.log():
        if line.startswith("{"):
            yield json.loads(line)


class _Reader:
    """Puts together what agents, probe and server have told."""

    def __init__(
        self,
        lab: Lab,
        story: Story,
        activity: Mapping[str, Any],
        looks: Sequence[Snapshot],
    ) -> None:
        self._lab = lab
        self._story = story
        self._activity = activity
        self._looks = looks
        self._begin = float(activity["from"])
        self._events = list(_logged(lab))
        self._clients = {name: self._client(name) for name in sorted(story.scripts, reverse=True)}
        self._fds = {name: self._descriptors(name) for name in self._clients}

    def recording(self) -> Recording:
        activity = self._activity
        threads = [self._thread(one) for one in activity["threads"]]
        return Recording(
            model=self._lab.subject.name,
            story=self._story.name,
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
            queue=self._queue(address(report.local)),
        )

    def _queue(self, peer: str) -> list[tuple[float, int, int]]:
        """Empty where the kernel's table does not tell how much has come."""
        return [
            (self._ms(t), waiting, came)
            for one in self._activity["queues"]
            if address(one["peer"]) == peer
            for t, waiting, came in one["queue"]
            if came is not None
        ]

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
