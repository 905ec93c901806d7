"""The client's node is unplugged from the network, without a word to anybody."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from iolab.harness.faults.registry import register
from iolab.harness.lab.fault import Fault, Seen, Unproven

if TYPE_CHECKING:
    from iolab.harness.lab.lab import Lab


# Linux delays an acknowledgement by 40 ms, 200 ms at the most (RFC 9293 §3.8.6.3 allows 500 ms).
DELAYED_ACK_S = 0.25


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
        arrived = self._arrived(lab)
        client.node.plug()
        if arrived:
            raise Unproven(f"cable: {arrived} packets of the client arrived while it was out")
        return {"client": self.client, "cable": "in"}

    def _arrived(self, lab: Lab) -> int:
        """How many packets of the client came since; one that is due is waited for."""
        peer = lab.client(self.client).address
        deadline = time.monotonic() + DELAYED_ACK_S
        while True:
            packets = lab.probe.request("packets", since=self._since, peer=peer)["packets"]
            arrived: int = sum(direction == "in" for _, direction, *_ in packets)
            if arrived or time.monotonic() > deadline:
                return arrived
