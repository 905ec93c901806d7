"""The client's process dies; its kernel ends its connections for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from iolab.harness.faults.registry import register
from iolab.harness.lab.fault import Fault, Seen, Unproven

if TYPE_CHECKING:
    from iolab.harness.lab.lab import Lab

# SIGKILL is delivered when the process is next scheduled, and its end is told by its keeper.
DIES_WITHIN_S = 3.0


@register
@dataclass
class KillClient(Fault):
    """SIGKILL to the agent of a client node."""

    name = "kill-client"
    what = "SIGKILL to a client's process"
    shown_by = "the process is seen dead"

    client: str

    def inject(self, lab: Lab) -> Seen:
        process = lab.client(self.client).process
        process.signal("SIGKILL")
        status = process.wait(DIES_WITHIN_S)
        if status is None:
            raise Unproven("kill-client: the client's process was not seen dead")
        lab.forget_client(self.client)
        return {"client": self.client, "status": status}

    def heal(self, lab: Lab) -> Seen:
        return {"client": self.client, "state": "dead, as it stays"}
