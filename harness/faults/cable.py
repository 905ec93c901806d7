"""The client's node is unplugged from the network, without a word to anybody."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.faults.base import Fault, Seen, Unproven, register

if TYPE_CHECKING:
    from harness.lab import Lab


@register
@dataclass
class Cable(Fault):
    """The cable of a client node is out."""

    name = "cable"
    what = "a client node is unplugged from the network: neither FIN nor RST is sent"
    shown_by = "the node's interface is seen gone or down; no packet of it arrives any more"
    needs = ("cable",)

    client: str

    def inject(self, lab: Lab) -> Seen:
        lab.client(self.client).node.unplug()
        self._since = time.monotonic()
        return {"client": self.client, "cable": "out"}

    def heal(self, lab: Lab) -> Seen:
        client = lab.client(self.client)
        packets = lab.probe.request("packets", since=self._since, peer=client.address)["packets"]
        client.node.plug()
        arrived = sum(direction == "in" for _, direction, *_ in packets)
        if arrived:
            raise Unproven(f"cable: {arrived} packets of the client arrived while it was out")
        return {"client": self.client, "cable": "in"}
