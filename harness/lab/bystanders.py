"""The healthy clients of every scenario, whose service must not suffer.

The holder keeps one connection from start to end and asks again and again; the comer connects anew
for each request. A subject that serves so few at a time that they would be in its way is asked by
them before and after the scripts, not beside them. Where its manifest says that it makes others
wait by its nature, the comer stays beside the scripts to show it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from iolab.harness.backends.channel import Refused
from iolab.harness.lab import steps
from iolab.harness.record.base import Address
from iolab.harness.record.kinds import Bystanders as Met
from iolab.harness.record.kinds import Stuck
from iolab.harness.record.probe import Snapshot

if TYPE_CHECKING:
    from iolab.harness.lab.clients import Client
    from iolab.harness.lab.lab import Lab

# How many connections they hold at a time.
BYSTANDERS = 2

HOLDER_EVERY_S = 0.05
COMER_EVERY_S = 0.1

# A request of a bystander is given so long before it counts as lost; the judge's bound for `late`
# is far below.
PATIENCE_S = 15.0

# After so long without an answer the probe looks at what the subject is doing, and once more a
# moment later: a system call that lasts is then known for how long.
TELL_AFTER_S = 0.5

# Requests that each has had answered before the scenario begins: the judge's bound is made of their
# median.
WARM_UP = 5


# The node that they live in.
NODE = "bystanders"


class Bystanders:
    """Both of them, in a client node of their own."""

    def __init__(self, lab: Lab, *, must_wait: bool) -> None:
        """`must_wait`: in this scenario the subject is stated to keep others waiting."""
        self._lab = lab
        self._must_wait = must_wait
        self._generation = 0
        self._groups: list[str] = []
        self._kinds: dict[str, str] = {}
        self._resting: dict[str, float] = {}
        self.baseline: Snapshot | None = None

    def _beside(self, holder: str, comer: str) -> list[str]:
        """Which of them stay beside the scripts."""
        most = self._lab.promises.max_connections
        if most is None or most > BYSTANDERS:
            return [holder, comer]
        return [comer] if self._must_wait else []

    def gather(self) -> None:
        """Let them connect, warm up and rest for the baseline; then they go on, if they may."""
        self._generation += 1
        lab = self._lab
        number = f"-{self._generation}" if self._generation > 1 else ""
        holder, comer = f"holder{number}", f"comer{number}"
        request = steps.ask(
            "how are you? ¿qué tal? 你好", within_s=PATIENCE_S, tell_after_s=TELL_AFTER_S
        )
        lab.play(
            holder,
            steps.connect(within_s=PATIENCE_S),
            steps.repeat([request], times=WARM_UP),
            steps.wait("begin", mark="warm"),
            steps.repeat([request], every_s=HOLDER_EVERY_S),
            steps.close(),
            must="promptly",
            client=NODE,
        )
        self._kinds = {holder: "holder", comer: "comer"}
        self._groups = self._beside(holder, comer)
        come = [steps.connect(within_s=PATIENCE_S), request, steps.close()]
        self._warm(holder)
        lab.play(
            comer,
            steps.repeat(come, times=WARM_UP),
            steps.wait("begin", mark="warm"),
            steps.repeat(come, every_s=COMER_EVERY_S),
            must="promptly",
            client=NODE,
        )
        self._warm(comer)
        lab.probe.sees(lab.only_bystanders(), within_s=2.0)
        lab.look_at_cpu("before the scenario")
        self.baseline = lab.probe.snapshot("baseline")
        lab.record(Met(groups=[holder, comer], beside=[*self._groups]))
        for group in self._groups:
            lab.groups[group].go("begin")

    def _warm(self, group: str) -> None:
        """It has had its first answers; one that may not stay then leaves."""
        self._lab.groups[group].reached("warm", within_s=PATIENCE_S)
        if group not in self._groups:
            self._lab.groups[group].go("begin")
            self._ask("finish", group, within_s=PATIENCE_S)

    def _holder(self) -> list[str]:
        return [group for group in self._groups if self._kinds[group] == "holder"]

    def peers(self) -> list[Address]:
        """The addresses of the connections that they hold."""
        return [peer for group in self._holder() for peer in self._lab.groups[group].peers()]

    def longest_wait(self, since: float) -> float:
        """How long one has waited for an answer that it asked for after `since`, at the most."""
        now, waits = time.monotonic(), [0.0]
        for group in self._groups:
            for report in self._lab.groups[group].report():
                waits += [s for t, s in report.latencies if t > since]
                if report.unanswered is not None:
                    waits.append(now - max(since, report.unanswered))
        return max(waits)

    def silent_for(self) -> float:
        """For how long some of them have been resting, in seconds; 0 while all speak."""
        return time.monotonic() - min(self._resting.values()) if self._resting else 0.0

    def pause(self, kind: Literal["holder", "comer", "all"] = "all") -> list[str]:
        """They rest between two requests; returns, when they do, which rest only now."""
        chosen = [
            group
            for group in self._groups
            if group not in self._resting and kind in ("all", self._kinds[group])
        ]
        for group in chosen:
            self._resting[group] = time.monotonic()
            self._ask("pause", group, within_s=2.0)
        return chosen

    def resume(self, groups: Iterable[str] | None = None) -> None:
        """Those groups, or all, go on."""
        for group in [*self._resting] if groups is None else groups:
            self._resting.pop(group, None)
            self._ask("resume", group)

    def let_holder_go(self) -> None:
        """The holder was silent for so long that the subject may have removed it: not judged."""
        for group in self._holder():
            self._groups.remove(group)
            self._resting.pop(group, None)
            self._lab.groups[group].drop()

    def leave(self) -> None:
        """Both end in an orderly way."""
        self.resume()
        for group in self._groups:
            self._ask("finish", group, within_s=PATIENCE_S)
        self._groups = []

    def _ask(self, op: str, group: str, **fields: float) -> None:
        """A bystander that is stuck in its request can neither rest nor end; its report says so."""
        try:
            self.client.channel.request(op, group=group, **fields)
        except Refused as refused:
            if not refused.timed_out:
                raise
            self._lab.record(Stuck(group=group, error=str(refused)))

    @property
    def client(self) -> Client:
        """Their node."""
        return self._lab.client(NODE)
