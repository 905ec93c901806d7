"""The subject may open no more descriptors."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count, islice
from typing import TYPE_CHECKING

from iolab.harness.backends.channel import Refused
from iolab.harness.faults.registry import register
from iolab.harness.lab.fault import Fault, Seen, Unproven
from iolab.harness.lab.probe import holders

if TYPE_CHECKING:
    from iolab.harness.lab.lab import Lab

HELPER_WITHIN_S = 10.0


@register
@dataclass
class LimitDescriptors(Fault):
    """The soft RLIMIT_NOFILE of every process of the subject that accepts, lowered while it runs.

    `spare`: how many more descriptors each may open. Numbers that were left free below those in use
    are counted, since they are given out first.
    """

    name = "limit-descriptors"
    what = "the subject's limit of open files is lowered while it runs"
    shown_by = "the limit of every process that accepts is read back"
    needs = ("descriptor-limit",)

    spare: int

    def inject(self, lab: Lab) -> Seen:
        snapshot = lab.probe.snapshot("before the limit")
        listening = holders(lab.probe.listeners_in(snapshot))
        limits = {
            process.pid: limit_for({int(fd) for fd in process.fds}, self.spare)
            for process in snapshot.processes
            if process.pid in listening
        }
        if not limits:
            raise Unproven("limit-descriptors: no process of the subject accepts")
        before: dict[str, int] = {}
        for pid, limit in limits.items():
            before |= set_limit(lab, limit, pids=[pid])
        self._before = max(before.values())
        return {"limits": limits, "before": before}

    def heal(self, lab: Lab) -> Seen:
        # Children that were forked meanwhile have the low limit, too.
        return {"limit": self._before, "before": set_limit(lab, self._before)}


def limit_for(used: set[int], spare: int) -> int:
    """The limit under which so many descriptors are free beside those in use."""
    free = (number for number in count() if number not in used)
    return next(islice(free, spare, None))


def set_limit(lab: Lab, descriptors: int, **which: list[int]) -> dict[str, int]:
    """Set the limit of these processes of the subject, read it back, and say what it was before.

    `pids`: of which; of all, if not given. A hardened probe may not touch another user's process:
    then it says which helper must be run as that user, and looks again.
    """
    try:
        return dict(lab.probe.request("limit", nofile=descriptors, **which)["before"])
    except Refused as refused:
        if "run" not in refused.answer:
            raise
        answer = refused.answer
    helper = lab.nodes.pod.spawn_as(answer["run"], ":".join(map(str, answer["user"])))
    if helper.wait(HELPER_WITHIN_S) != 0:
        said = helper.read()[1].decode("utf-8", "backslashreplace").strip()[-200:]
        raise Unproven(f"limit-descriptors: the helper failed: {said}")
    lab.probe.request("limit", nofile=descriptors, **which)
    return dict(answer["before"])
