"""The client's process dies; its kernel ends its connections for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.faults.base import Fault, Seen, register

if TYPE_CHECKING:
    from harness.lab import Lab


@register
@dataclass
class KillClient(Fault):
    """SIGKILL to the agent of a client node."""

    name = "kill-client"
    what = "SIGKILL to a client's process"
    shown_by = "the process is seen dead"

    client: str

    def inject(self, lab: Lab) -> Seen:
        lab.client(self.client).process.signal("SIGKILL")
        lab.forget_client(self.client)
        return {"client": self.client, "state": "dead"}

    def heal(self, lab: Lab) -> Seen:
        return {"client": self.client, "state": "dead, as it stays"}
