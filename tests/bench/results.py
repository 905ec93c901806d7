"""Results made up for a test, and a run around them."""

from __future__ import annotations

from bench.load.shape import Sample
from bench.machine import Machine
from bench.plan import GROUPS
from bench.rounds import Measurement, Pace, Results
from bench.run import Run


def measurement(rate: float, cost_us: float = 5.0, memory: float = 100.0) -> Measurement:
    """A second's worth of messages at that rate and cost to the server."""
    sample = Sample(round(rate), 1.0, rate * cost_us / 1e6, 0.5)
    return Measurement(sample, memory, 0.01)


def run(results: Results, *names: str) -> Run:
    """A run of these groups on a machine that is nobody's."""
    machine = Machine("A CPU", 2, "Linux 0.0", "Python 0.0", 0, 1, ("In a network", "Pinned"))
    groups = [GROUPS[name] for name in names]
    pace = Pace(rounds=5, warm_s=0.1, for_s=0.3)
    return Run("2026-01-02", machine, {"uvloop": "0"}, None, 7, pace, groups, results)
