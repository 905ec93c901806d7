"""Packets overtake each other."""

from __future__ import annotations

from dataclasses import dataclass

from iolab.harness.faults.packets import PacketRule
from iolab.harness.faults.registry import register


@register
@dataclass
class Reorder(PacketRule):
    """Each of the chosen packets leaves after the one that follows it."""

    name = "reorder"
    what = "each of the chosen packets leaves after the one that follows it"
    action = "swap"
