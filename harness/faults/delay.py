"""Packets are late."""

from __future__ import annotations

from dataclasses import dataclass

from iolab.harness.faults.packets import PacketRule
from iolab.harness.faults.registry import register


@register
@dataclass
class Delay(PacketRule):
    """Each of the chosen packets is held for `delay_ms`."""

    name = "delay"
    what = "each of the chosen packets is held for `delay_ms`"
    action = "delay"

    delay_ms: float = 50.0
