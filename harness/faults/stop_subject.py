"""The subject stands still while its kernel goes on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec.structs import replace

from iolab.harness.backends.channel import Refused
from iolab.harness.faults.registry import register
from iolab.harness.lab.fault import Fault, Seen, Unproven
from iolab.harness.record.kinds import HeldUp

if TYPE_CHECKING:
    from iolab.harness.lab.lab import Lab


@register
@dataclass
class StopSubject(Fault):
    """SIGSTOP to every process of the subject, never to the probe beside it."""

    name = "stop-subject"
    what = "SIGSTOP to every process of the subject"
    shown_by = "the probe sees all their threads stopped, at first and still when it is healed"

    def inject(self, lab: Lab) -> Seen:
        try:
            answer = lab.probe.request("freeze")
        except Refused:
            # Some of it stands still already, and would keep its clients waiting.
            lab.probe.request("thaw")
            raise
        self._stands = HeldUp(since=float(answer["t"]), why="the subject was stopped")
        lab.record(self._stands)
        return {"stopped": answer["pids"]}

    def heal(self, lab: Lab) -> Seen:
        stood_still = lab.probe.sees({"stopped": {}}, within_s=0.0)
        answer = lab.probe.request("thaw")
        stood = replace(self._stands, t=0.0, until=float(answer["t"]))
        lab.record(stood)
        if not stood_still:
            raise Unproven("stop-subject: the subject was not seen to stand still to the end")
        return {"running": answer["pids"], "stood_for_s": float(answer["t"]) - stood.since}
