"""The client's node is unplugged from the network, without a word to anybody."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.faults.base import Fault, Seen, register

if TYPE_CHECKING:
    from harness.lab import Lab


@register
@dataclass
class Cable(Fault):
    """The cable of a client node is out."""

    name = "cable"
    what = "a client node is unplugged from the network: neither FIN nor RST is sent"
    shown_by = "the node's interface is seen gone or down"
    needs = ("cable",)

    client: str

    def inject(self, lab: Lab) -> Seen:
        lab.client(self.client).node.unplug()
        return {"client": self.client, "cable": "out"}

    def heal(self, lab: Lab) -> Seen:
        lab.client(self.client).node.plug()
        return {"client": self.client, "cable": "in"}
