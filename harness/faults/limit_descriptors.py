"""The subject may open no more descriptors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.faults.base import Fault, Seen, register

if TYPE_CHECKING:
    from harness.lab import Lab


@register
@dataclass
class LimitDescriptors(Fault):
    """The soft RLIMIT_NOFILE of every process of the subject, lowered while it runs.

    `spare`: how many more descriptors than the highest number in use are allowed.
    """

    name = "limit-descriptors"
    what = "the subject's limit of open files is lowered while it runs"
    shown_by = "the limit of every process is read back"
    needs = ("descriptor-limit",)

    spare: int

    def inject(self, lab: Lab) -> Seen:
        snapshot = lab.probe.snapshot("before the limit")
        highest = max(int(fd) for process in snapshot["processes"] for fd in process["fds"])
        answer = lab.probe.request("limit", nofile=highest + 1 + self.spare)
        self._before = max(answer["before"].values())
        return {"limit": highest + 1 + self.spare, "before": answer["before"]}

    def heal(self, lab: Lab) -> Seen:
        answer = lab.probe.request("limit", nofile=self._before)
        return {"limit": self._before, "before": answer["before"]}
