"""Packets are answered by a reset instead of silence."""

from __future__ import annotations

from dataclasses import dataclass

from iolab.harness.faults.packets import PacketRule
from iolab.harness.faults.registry import register


@register
@dataclass
class Reject(PacketRule):
    """Each of the chosen packets is answered by a reset."""

    name = "reject"
    what = "each of the chosen packets is answered by a reset"
    action = "reset"
