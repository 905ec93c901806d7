"""Packets are lost: to the sender's TCP as if the network had lost them."""

from __future__ import annotations

from dataclasses import dataclass

from iolab.harness.faults.packets import PacketRule
from iolab.harness.faults.registry import register


@register
@dataclass
class Drop(PacketRule):
    """The chosen packets are lost, as in the network."""

    name = "drop"
    what = "the chosen packets are lost, as in the network"
    action = "drop"
