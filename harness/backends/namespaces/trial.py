"""Trying whether this machine allows a lab: by making one, with a node, and passing a packet.

"Allows" is not guessed from settings: the steps of `steps.py` are taken in the order of a lab, in
the process that would make the labs, and the first one that fails is the reason. On Ubuntu 24.04,
for one, a user namespace can be made and then permits nothing.
"""

from __future__ import annotations

from iolab.harness.backends.local.holder import Holder
from iolab.harness.backends.local.node import NodeInit, end_all

_NUMBER = 2


def run(holder: Holder, lab: int) -> None:
    """Make a lab of one node, pass a packet, and remove it. HolderRefused names the step."""
    inits: list[NodeInit] = []
    holder.ask("network", lab=lab)
    try:
        node = {"lab": lab, "number": _NUMBER, "name": "trial", "families": [4], "pod": False}
        inits.append(
            NodeInit(holder, "node", {**node, "writable": [], "needed": [], "cgroups": []})
        )
        holder.ask("reach", lab=lab, number=_NUMBER)
    finally:
        end_all(inits)
        holder.ask("close", lab=lab)
