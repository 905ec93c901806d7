"""Packets arrive twice."""

from __future__ import annotations

from dataclasses import dataclass

from iolab.harness.faults.packets import PacketRule
from iolab.harness.faults.registry import register


@register
@dataclass
class Duplicate(PacketRule):
    """Each of the chosen packets is sent twice."""

    name = "duplicate"
    what = "each of the chosen packets is sent twice"
    action = "double"
