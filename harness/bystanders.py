"""The healthy clients of every scenario, whose service must not suffer.

The holder keeps one connection from start to end and asks again and again; the comer connects anew
for each request. A subject that serves so few at a time that they would be in its way is asked by
them before and after the scripts, not beside them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from harness import steps
from harness.channel import Refused
from harness.scenario import BYSTANDERS

if TYPE_CHECKING:
    from harness.clients import Client
    from harness.lab import Lab

HOLDER_EVERY_S = 0.05
COMER_EVERY_S = 0.1

# A request of a bystander is given so long before it counts as lost; the judge's bound for `late`
# is far below.
PATIENCE_S = 15.0

# Requests that each has had answered before the scenario begins: the judge's bound is made of their
# median.
WARM_UP = 5


class Bystanders:
    """Both of them, in a client node of their own."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._generation = 0
        self._groups: list[str] = []
        self._silent_since: float | None = None
        self.baseline: dict[str, Any] = {}

    @property
    def beside(self) -> bool:
        """Whether the subject can serve them beside the scripts."""
        most = self._lab.promises.max_connections
        return most is None or most > BYSTANDERS

    def gather(self) -> None:
        """Let them connect, warm up and rest for the baseline; then they go on, if they may."""
        self._generation += 1
        lab = self._lab
        number = f"-{self._generation}" if self._generation > 1 else ""
        holder, comer = f"holder{number}", f"comer{number}"
        request = steps.ask("how are you? ¿qué tal? 你好", within_s=PATIENCE_S)
        lab.play(
            holder,
            steps.connect(within_s=PATIENCE_S),
            steps.repeat([request], times=WARM_UP),
            steps.wait("begin", mark="warm"),
            steps.repeat([request], every_s=HOLDER_EVERY_S),
            steps.close(),
            client="bystanders",
        )
        come = [steps.connect(within_s=PATIENCE_S), request, steps.close()]
        if self.beside:
            self._warm(holder)
        else:
            self._lab.groups[holder].go("begin")
            self._finish(holder)
        lab.play(
            comer,
            steps.repeat(come, times=WARM_UP),
            steps.wait("begin", mark="warm"),
            steps.repeat(come, every_s=COMER_EVERY_S),
            client="bystanders",
        )
        self._warm(comer)
        self._groups = [holder, comer] if self.beside else []
        if not self.beside:
            self._lab.groups[comer].go("begin")
            self._finish(comer)
        lab.wait_for(lab.only_bystanders(), within_s=2.0)
        lab.wait_for({"idle": {"for_s": 0.1, "cpu_share_at_most": 0.2}}, within_s=0.5)
        self.baseline = lab.snapshot("baseline")
        lab.record("bystanders", groups=[holder, comer], beside=self.beside, holders=self.peers())
        for group in self._groups:
            lab.groups[group].go("begin")

    def _warm(self, group: str) -> None:
        self._lab.groups[group].reached("warm", within_s=PATIENCE_S)

    def peers(self) -> list[list[Any]]:
        """The addresses of the connections that they hold."""
        if not self._groups:
            return []
        return [r["local"] for r in self._lab.groups[self._groups[0]].report() if r["local"]]

    def silent_for(self) -> float:
        """For how long they have been resting, in seconds; 0 while they speak."""
        return time.monotonic() - self._silent_since if self._silent_since is not None else 0.0

    def pause(self) -> None:
        """Both rest between two requests; returns when they do."""
        if self._silent_since is None:
            self._silent_since = time.monotonic()
        self._each(lambda client, group: client.channel.request("pause", group=group, within_s=2.0))

    def resume(self) -> None:
        """Both go on."""
        self._silent_since = None
        self._each(lambda client, group: client.channel.request("resume", group=group))

    def let_holder_go(self) -> None:
        """The holder was silent for so long that the subject may have removed it: not judged."""
        if self._groups:
            self._lab.groups[self._groups.pop(0)].drop()

    def leave(self) -> None:
        """Both end in an orderly way."""
        for group in self._groups:
            self._finish(group)
        self._groups = []

    def _finish(self, group: str) -> None:
        self._try(
            group,
            lambda: self._client.channel.request("finish", group=group, within_s=PATIENCE_S),
        )

    @property
    def _client(self) -> Client:
        return self._lab.client("bystanders")

    def _each(self, act: Callable[[Client, str], object]) -> None:
        for group in self._groups:
            self._try(group, lambda group=group: act(self._client, group))  # type: ignore[misc]

    def _try(self, group: str, act: Callable[[], object]) -> None:
        """A bystander that is stuck in its request cannot rest; its own report says so."""
        try:
            act()
        except Refused as refused:
            if not refused.timed_out:
                raise
            self._lab.record("stuck", group=group, error=str(refused))
