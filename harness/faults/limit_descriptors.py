"""The subject may open no more descriptors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.channel import Refused
from harness.faults.base import Fault, Seen, Unproven, register

if TYPE_CHECKING:
    from harness.lab import Lab

HELPER_WITHIN_S = 10.0


@register
@dataclass
class LimitDescriptors(Fault):
    """The soft RLIMIT_NOFILE of every process of the subject, lowered while it runs.

    `spare`: how many more descriptors are allowed than the highest number in use by a process that
    accepts; others keep what they have.
    """

    name = "limit-descriptors"
    what = "the subject's limit of open files is lowered while it runs"
    shown_by = "the limit of every process is read back"
    needs = ("descriptor-limit",)

    spare: int

    def inject(self, lab: Lab) -> Seen:
        snapshot = lab.probe.snapshot("before the limit")
        listening = {
            pid
            for row in snapshot["sockets"]
            if row["state"] == "LISTEN"
            for pid, _ in row["owners"]
        }
        highest = max(
            int(fd)
            for process in snapshot["processes"]
            if process["pid"] in listening
            for fd in process["fds"]
        )
        before = set_limit(lab, highest + 1 + self.spare)
        self._before = max(before.values())
        return {"limit": highest + 1 + self.spare, "before": before}

    def heal(self, lab: Lab) -> Seen:
        return {"limit": self._before, "before": set_limit(lab, self._before)}


def set_limit(lab: Lab, descriptors: int) -> dict[str, int]:
    """Set the limit of every process of the subject, read it back, and say what it was before.

    A hardened probe may not touch another user's process: then it says which helper must be run as
    that user, and looks again.
    """
    try:
        return dict(lab.probe.request("limit", nofile=descriptors)["before"])
    except Refused as refused:
        if "run" not in refused.answer:
            raise
        answer = refused.answer
    helper = lab.nodes.pod.spawn_as(answer["run"], ":".join(map(str, answer["user"])))
    if helper.wait(HELPER_WITHIN_S) != 0:
        said = helper.read()[1].decode("utf-8", "backslashreplace").strip()[-200:]
        raise Unproven(f"limit-descriptors: the helper failed: {said}")
    lab.probe.request("limit", nofile=descriptors)
    return dict(answer["before"])
