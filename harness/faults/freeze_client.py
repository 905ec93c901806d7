"""The client stands still while its kernel goes on acknowledging."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.faults.base import Fault, Seen, register

if TYPE_CHECKING:
    from harness.lab import Lab


@register
@dataclass
class FreezeClient(Fault):
    """SIGSTOP to the agent of a client node."""

    name = "freeze-client"
    what = "SIGSTOP to a client's process: its kernel goes on acknowledging"
    shown_by = "the process is seen stopped"

    client: str

    def inject(self, lab: Lab) -> Seen:
        lab.client(self.client).process.signal("SIGSTOP")
        return {"client": self.client, "state": "stopped"}

    def heal(self, lab: Lab) -> Seen:
        lab.client(self.client).process.signal("SIGCONT")
        return {"client": self.client, "state": "running"}
