"""The crowd: fifty thousand connections, held by three agents and served by three servers.

A process may hold fewer descriptors than that, so there are three of each. Each agent is in a node
of its own on a bridge, as in a lab, and the servers are together in another: what is measured has
real links in it, and no core is set aside for anybody.
"""

from __future__ import annotations

import contextlib
import resource
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.contestants import Contestant
from bench.errors import Failure
from bench.load.agent import WITHIN_S, Agent, Step, agent, question
from bench.load.shape import Sample
from bench.machine import busy_s, cpu_s, widen_ports
from bench.serving import serving
from iolab.harness.backends.namespaces.network import Network, address
from iolab.harness.backends.namespaces.steps import StepFailed

CROWD = 50_000
PARTS = 3

_SERVERS_NODE = 2
_SPARE_DESCRIPTORS = 100
_GROUP = "crowd"
_STEPS: list[Step] = [
    {"do": "connect", "within_s": WITHIN_S},
    question(),
    {"do": "wait", "go": "again", "mark": "held"},
    question(),
    {"do": "hang", "mark": "echoed"},
]


def gather(
    contestant: Contestant, programs: Path, connections: int = CROWD
) -> tuple[Sample, float]:
    """Connect all, each of which is answered once; and when all are held, once more.

    `seconds` of the sample are from the first connect until the last answer to a first line; beside
    it comes how many cores others kept busy meanwhile.
    Raises `Failure` if a single connection is not held, or not answered the second time.
    """
    share = -(-connections // PARTS)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if share + _SPARE_DESCRIPTORS > most:
        raise Failure(f"a process may hold {most} descriptors here, and needs {share}")
    try:
        with contextlib.ExitStack() as stack:
            return _gather(stack, contestant, programs, share)
    except StepFailed as failure:
        raise Failure(str(failure)) from None


def _gather(
    stack: contextlib.ExitStack, contestant: Contestant, programs: Path, share: int
) -> tuple[Sample, float]:
    network = stack.enter_context(contextlib.closing(Network()))
    where = address(4, _SERVERS_NODE)
    with network.attached(_SERVERS_NODE, [4]):
        servers = [
            stack.enter_context(serving(contestant, programs, address=where)) for _ in range(PARTS)
        ]
    agents = []
    for number, server in enumerate(servers, _SERVERS_NODE + 1):
        with network.attached(number, [4]):
            widen_ports()
            agents.append(stack.enter_context(agent(server)))
    threads = stack.enter_context(ThreadPoolExecutor(PARTS))

    def all_do(work: Callable[[Agent], object]) -> None:
        list(threads.map(work, agents))

    def taken() -> tuple[float, float, float, float]:
        servers_s, agents_s = sum(s.cpu_s() for s in servers), sum(cpu_s(a.pid) for a in agents)
        return time.monotonic(), servers_s, agents_s, busy_s()

    before = taken()
    all_do(lambda one: one.play(_GROUP, share, _STEPS, "held"))
    took, servers_s, agents_s, busy = (n - b for n, b in zip(taken(), before, strict=True))
    all_do(lambda one: one.ask("go", group=_GROUP, signal="again"))
    all_do(lambda one: one.ask("await", group=_GROUP, mark="echoed", within_s=WITHIN_S))
    others = max(0.0, busy - servers_s - agents_s) / took
    return Sample(share * PARTS, took, servers_s, agents_s), others
