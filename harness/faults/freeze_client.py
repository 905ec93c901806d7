"""The client stands still while its kernel goes on acknowledging."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec.structs import replace

from iolab.harness.faults.registry import register
from iolab.harness.lab.fault import Fault, Seen, Unproven
from iolab.harness.record.kinds import HeldUp

if TYPE_CHECKING:
    from iolab.harness.lab.lab import Lab

ANSWERS_WITHIN_S = 5.0


@register
@dataclass
class FreezeClient(Fault):
    """SIGSTOP to the agent of a client node."""

    name = "freeze-client"
    what = "SIGSTOP to a client's process: its kernel goes on acknowledging"
    shown_by = "the process is seen stopped; what it is asked it answers only when healed"

    client: str

    def inject(self, lab: Lab) -> Seen:
        client = lab.client(self.client)
        why = "the client was stopped"
        self._stands = HeldUp(client=self.client, since=time.monotonic(), why=why)
        lab.record(self._stands)
        client.process.signal("SIGSTOP")
        self._question = client.channel.send("report")
        return {"client": self.client, "state": "stopped"}

    def heal(self, lab: Lab) -> Seen:
        client = lab.client(self.client)
        answered = self._question.done()
        client.process.signal("SIGCONT")
        if answered:
            raise Unproven("freeze-client: the client answered while it was to stand still")
        client.channel.result(self._question, ANSWERS_WITHIN_S)
        lab.record(replace(self._stands, t=0.0, until=time.monotonic()))
        return {"client": self.client, "state": "running"}
