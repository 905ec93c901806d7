"""A running lab: started through the contract of a backend, watched by probe and clients.

What the processes in the lab say arrives in threads of its own and is queued. `step`, called from
one thread only, takes it from the queue into the state, and asks the probe for its next look. It
never waits for anybody, so the view goes on whatever the lab is doing.
"""

from __future__ import annotations

import contextlib
import itertools
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from iolab.harness.backends.base import Backend, LabNodes, Node, Process, SubjectProcess
from iolab.harness.backends.channel import Channel, Refused
from iolab.harness.live import players
from iolab.harness.live.definition import ClientService, Definition
from iolab.harness.live.state import State
from iolab.harness.subject.manifest import Subject

LOOK_EVERY_S = 0.2
"""Between two looks of the probe at everything."""

SAMPLED_FOR_S = 0.7
SAMPLES_OVERLAP_S = 0.2
SAMPLED_EVERY_S = 0.02
SAMPLING_PER_THREAD_S = 0.002
"""How the threads' doings are sampled; of many threads less often, as each costs the probe."""

LETS_GO_WITHIN_S = 2.0
"""The clients are gone: so long the server may take to let go of their connections."""

STOPS_WITHIN_S = 6.0
"""The server's grace time, and a little."""

VISITOR = "you"
VISITOR_ENDS_WITHIN_S = 0.2

News = tuple[str, Mapping[str, Any]]


class LabFailed(Exception):
    """The lab cannot go on; one line that says what ended, with its last words."""

    def __init__(self, words: str, status: int = 1) -> None:
        super().__init__(words)
        self.status = status


@dataclass(frozen=True)
class Visit:
    """A person at the prompt: under which name, talking to whom, by which process."""

    name: str
    server: str
    process: Process


@dataclass(frozen=True)
class Ending:
    """How the server ended: what it still held when all clients had gone, and its exit status.

    `let_go_s` is None when it did not let go in time, and then `held` says of what.
    """

    let_go_s: float | None
    held: str
    status: int | None


class Session:
    """One lab from start to end; `state` is filled as it goes on."""

    def __init__(
        self, backend: Backend, definition: Definition, subject: Subject, state: State
    ) -> None:
        self.state = state
        self._backend = backend
        self._definition = definition
        self._subject = subject
        self._news: queue.SimpleQueue[News | BaseException] = queue.SimpleQueue()
        self._nodes: LabNodes
        self._probe: Channel
        self._server: SubjectProcess | None = None
        self._making = threading.Lock()
        self._spawned: list[Process] = []
        self._operator = ThreadPoolExecutor(1, "operator")
        self._look: Future[Any] | None = None
        self._look_at = 0.0
        self._samplings: deque[Future[Any]] = deque()
        self._sample_at = 0.0
        self._visitors: set[str] = set()
        self._lines_read = 0
        self._closing = False

    # Start

    def start(self) -> list[str]:
        """Start server and probe; the clients come one by one. What cannot be honoured, in words.

        Raises LabFailed when the server does not come to listen.
        """
        self._nodes = self._backend.open_lab(self._subject)
        pod = self._nodes.pod
        self._probe = Channel("probe", pod.start_probe())
        self._probe.ready()
        remarks = self._limit()
        self._server = pod.start_subject(self._probe)
        self.state.port = pod.port
        listening = self._probe.send(
            "wait", condition={"listening": pod.port}, within_s=self._subject.start_s
        )
        while not listening.done():
            self._check_server(within_s=0.02)
        try:
            listening.result()
        except Refused as refused:
            raise LabFailed(f"the server does not listen: {refused}") from None
        threading.Thread(target=self._bring_clients, name="clients", daemon=True).start()
        return [*remarks, *pod.tolerances()]

    def _limit(self) -> list[str]:
        """The CPU limit of compose.yaml, where the backend can."""
        cpus = self._definition.server.cpus
        if cpus is None:
            return []
        why_not = self._backend.missing().get("cpu-limit")
        if why_not is not None:
            return [f"compose.yaml: services.{self._definition.server.name}.cpus: {why_not}"]
        self._nodes.pod.limit(cpus=cpus)
        return []

    def _bring_clients(self) -> None:
        """In a thread: one node after the other, so that the view shows them coming."""
        try:
            for service in self._definition.clients:
                with self._making:
                    if self._closing:
                        return
                    node = self._nodes.client(service.name)
                self._tell(service.name, {"event": "here", "address": node.addresses[4]})
                self._play(service, node)
        except Exception as error:  # whatever it is, it must end the lab and not just this thread
            self._news.put(error)

    def _play(self, service: ClientService, node: Node) -> None:
        """Let the client play its script, and listen to it in a thread."""
        pod = self._nodes.pod
        own, target = node.addresses[4], (pod.addresses[4], pod.port)
        tell = partial(self._tell, service.name)
        if self.state.reply == "operator":
            process = self._spawn(node, players.AGENT_ARGV)
            listen = partial(players.converse, process, service, own, target, tell)
        else:
            process = self._spawn(node, players.play_argv(service, own, target))
            listen = partial(players.follow, process, tell)
        threading.Thread(target=self._guard, args=[listen], name=service.name, daemon=True).start()

    def _guard(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # as above
            self._news.put(error)

    def _spawn(self, node: Node, argv: Sequence[str]) -> Process:
        process = node.spawn(argv)
        self._spawned.append(process)
        return process

    def _tell(self, name: str, record: Mapping[str, Any]) -> None:
        self._news.put((name, record))

    # Visitors (`make client`)

    def receive(self) -> Visit:
        """A visitor comes in: a client node with a prompt's process in it. From any thread.

        Raises LabFailed when the lab is ending.
        """
        with self._making:
            if self._closing:
                raise LabFailed("the lab is ending")
            more = (f"{VISITOR}-{number}" for number in itertools.count(2))
            name = next(
                name for name in itertools.chain([VISITOR], more) if name not in self._visitors
            )
            self._visitors.add(name)
            node = self._nodes.client(name)
        pod = self._nodes.pod
        host, own = pod.addresses[4], node.addresses[4]
        argv = ["python3", "-m", "iolab.client", host, str(pod.port), f"--bind={own}"]
        self._tell(name, {"event": "visit", "address": own})
        process = self._spawn(node, argv)
        return Visit(name, f"{host} port {pod.port}", process)

    def end(self, visit: Visit) -> None:
        """The visitor leaves: its process ends, if it does not just do so. From any thread."""
        if visit.process.wait(VISITOR_ENDS_WITHIN_S) is None and not self._closing:
            _kill(visit.process)

    def see_off(self, visit: Visit) -> None:
        """The visitor has gone. From any thread."""
        self._visitors.discard(visit.name)
        self._tell(visit.name, {"event": "left"})

    # While it runs

    def step(self, now: float) -> None:
        """Take in what has come; raises what has gone wrong in the lab."""
        self.state.now = now
        while True:
            try:
                news = self._news.get_nowait()
            except queue.Empty:
                break
            if isinstance(news, BaseException):
                raise news
            self._take(*news)
        self._read_log()
        if self._look is not None and self._look.done():
            self.state.take(self._look.result()["snapshot"])
            self._look = None
            if self.state.pid is None:
                self._check_server(within_s=LOOK_EVERY_S)
        if self._look is None and now >= self._look_at:
            self._look_at = now + LOOK_EVERY_S
            self._look = self._probe.send("snapshot", port=self.state.port)
        self._sample(now)

    def _sample(self, now: float) -> None:
        """Have the server's threads watched all the time, in stretches that overlap a little."""
        while self._samplings and self._samplings[0].done():
            self.state.take_activity(self._samplings.popleft().result())
        if now >= self._sample_at:
            every_s = max(SAMPLED_EVERY_S, SAMPLING_PER_THREAD_S * len(self.state.threads))
            within_s = max(SAMPLED_FOR_S, every_s)
            self._sample_at = now + within_s - SAMPLES_OVERLAP_S
            self._samplings.append(self._probe.send("activity", within_s=within_s, every_s=every_s))

    def type(self, line: str) -> None:
        """What the operator has typed goes to the server, in order, without waiting for it."""
        assert self._server is not None
        self._operator.submit(self._server.write, line.encode() + b"\n")

    def _take(self, name: str, record: Mapping[str, Any]) -> None:
        match record["event"]:
            case "here":
                self.state.arrive(name, record["address"])
            case "visit":
                self.state.add_client(name, "A person at the prompt.", visitor=True)
                self.state.arrive(name, record["address"])
            case "left":
                self.state.leave(name)
            case "gone":
                raise LabFailed(f"client {name} ended: {record['words'] or record['status']}")
            case _:
                self.state.clients[name].take(record)

    def _read_log(self) -> None:
        assert self._server is not None
        lines = self._server.log()[self._lines_read :]
        for place, (t, stream, text) in enumerate(lines):
            # The newest line may not be whole yet.
            if place == len(lines) - 1 and stream == "stdout" and not text.endswith("}"):
                break
            self._lines_read += 1
            self.state.log.take(t, text)

    def _check_server(self, within_s: float) -> None:
        assert self._server is not None
        status = self._server.wait(within_s)
        if status is None:
            return
        said = [text for _, stream, text in self._server.log() if stream == "stderr"]
        last = said[-1] if said else "it printed nothing on standard error"
        how = f"by signal {-status}" if status < 0 else f"with status {status}"
        raise LabFailed(f"the server has ended {how}: {last}", 2 if status == 2 else 1)

    # End

    def finish(self) -> Ending:
        """End the clients, see what the server still holds, and end the server."""
        with self._making:
            self._closing = True
        self.state.now = time.monotonic()
        with ThreadPoolExecutor() as pool:
            list(pool.map(_kill, self._spawned))
        let_go_s, held = self._what_is_held()
        assert self._server is not None
        self._probe.request("signal", signal="SIGTERM", who="main")
        status = self._server.wait(STOPS_WITHIN_S)
        self._read_log()
        self._probe.close()
        self._operator.shutdown()
        return Ending(let_go_s, held, status)

    def close(self) -> None:
        """Remove what is left of the lab, however far it has come."""
        with self._making:
            self._closing = True
        self._operator.shutdown(wait=False, cancel_futures=True)
        self._backend.close()

    def _what_is_held(self) -> tuple[float | None, str]:
        """How long it took until the server held no connection; else what it holds, in words."""
        nobody = {"port": self.state.port, "peers": []}
        try:
            answer = self._probe.request(
                "wait", condition={"only": nobody}, within_s=LETS_GO_WITHIN_S
            )
        except Refused as refused:
            if not refused.timed_out:
                raise
            return None, str(refused.answer["seen"])
        return float(answer["after_s"]), ""


def _kill(process: Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.signal("SIGKILL")
