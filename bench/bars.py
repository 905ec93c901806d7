"""The bars: what has to be reached, each a figure of every round, and the median of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from bench.contestants import CONTESTANTS
from bench.plan import AGENT
from bench.rounds import DISTURBED, Measurement, Results

Quantity = Callable[[Measurement], float]


def rate(measurement: Measurement) -> float:
    """Messages a second."""
    return measurement.sample.rate


def cost(measurement: Measurement) -> float:
    """Microseconds of the server's CPU a message."""
    return measurement.sample.cost_us


def memory(measurement: Measurement) -> float:
    """Bytes of the server's memory that each connection added."""
    assert measurement.memory is not None, "a crowd's memory is not measured"
    return measurement.memory


def seconds(measurement: Measurement) -> float:
    """How long it took."""
    return measurement.sample.seconds


def paired(
    quantity: Quantity, measured: Sequence[Measurement], over: Sequence[Measurement]
) -> list[float]:
    """The ratio in each round; empty if one of the two was not measured."""
    if not measured or not over:
        return []
    return [quantity(one) / quantity(other) for one, other in zip(measured, over, strict=True)]


@dataclass(frozen=True)
class Bar:
    """A quantity of `entry`, divided by that of `over` in the same round if it is named.

    It holds if the median is at least, or at most, `limit`.
    """

    title: str
    group: str
    entry: str
    over: str | None
    quantity: Quantity
    limit: float
    at_most: bool = False
    unit: str = ""
    digits: int = 3

    def figures(self, results: Results) -> list[float]:
        """One figure a round; empty if it was not measured."""
        measured = results.rounds.get((self.group, self.entry), [])
        if self.over is None:
            return [self.quantity(m) for m in measured]
        others = results.rounds.get((self.group, self.over), [])
        return paired(self.quantity, measured, others)

    def by_cpu(self, results: Results) -> list[float]:
        """For a ratio of rates, what it is by the server's CPU: the client cannot limit that, and
        others on the machine hardly change it."""
        if self.over is None or self.quantity is not rate or self.entry == AGENT:
            return []
        return paired(
            lambda measurement: 1 / cost(measurement),
            results.rounds.get((self.group, self.entry), []),
            results.rounds.get((self.group, self.over), []),
        )

    def outcome(self, results: Results) -> str:
        """`holds`, `short`, `not measured`, or `disturbed`: others had so much of the machine in
        most rounds that what hangs on the clock says nothing. (CPU and memory are one's own.)"""
        figures = self.figures(results)
        if not figures:
            return "not measured"
        if self.quantity in (rate, seconds) and median(self._others(results)) > DISTURBED:
            return "disturbed"
        reached = median(figures) <= self.limit if self.at_most else median(figures) >= self.limit
        return "holds" if reached else "short"

    def _others(self, results: Results) -> list[float]:
        """How many cores others kept busy in each round, beside the worse of the two."""
        sides = [results.rounds[self.group, name] for name in (self.entry, self.over) if name]
        return [max(m.others for m in pair) for pair in zip(*sides, strict=True)]


def _against(group: str, clients: str, entry: str, over: str, limit: float) -> Bar:
    words = f"{entry} ÷ {CONTESTANTS[over].title}, {clients} clients"
    return Bar(words, group, entry, over, rate, limit)


_LINES = (("lines-10", "10"), ("lines-100", "100"), ("lines-1000", "1 000"))
_EPOLL = (("uvloop-protocol", 1.0), ("asyncio-protocol", 1.15), ("c-epoll", 0.85))

BARS: Sequence[Bar] = (
    *(
        _against(group, clients, "epoll", over, limit)
        for over, limit in _EPOLL
        for group, clients in _LINES
    ),
    Bar(
        "epoll ÷ asyncio streams, 16 lines in a packet",
        "batch-16",
        "epoll",
        "asyncio-streams",
        rate,
        9,
    ),
    *(
        _against(group, clients, entry, "uvloop-protocol", 1.0)
        for group, clients in (("lines-100", "100"), ("active-900", "900"))
        for entry in ("select", "poll")
    ),
    Bar(
        "epoll's CPU a message with 10 000 idle ÷ with none",
        "idle-10000",
        "epoll",
        "none",
        cost,
        1.05,
        at_most=True,
    ),
    Bar(
        "poll's CPU a message of 1 active, 900 idle ÷ a plain poll loop's",
        "idle-900",
        "poll",
        "poll-loop",
        cost,
        0.6,
        at_most=True,
    ),
    Bar(
        "epoll's CPU a connect-echo-close ÷ uvloop Protocol's",
        "churn",
        "epoll",
        "uvloop-protocol",
        cost,
        0.85,
        at_most=True,
    ),
    Bar(
        "epoll's added memory for each of 10 000 idle",
        "idle-10000",
        "epoll",
        None,
        memory,
        1024,
        at_most=True,
        unit=" B",
        digits=0,
    ),
    _against("lines-100", "100", "uring", "epoll", 0.9),
    Bar("our agent ÷ the C client, 100 connections", "agent", AGENT, "c-client", rate, 0.8),
    Bar(
        "50 000 connections held and echoed, connected in",
        "crowd",
        "epoll",
        None,
        seconds,
        3,
        at_most=True,
        unit=" s",
        digits=2,
    ),
)
