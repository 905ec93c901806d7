"""The line is narrow."""

from __future__ import annotations

from dataclasses import dataclass

from iolab.harness.faults.packets import PacketRule
from iolab.harness.faults.registry import register


@register
@dataclass
class Rate(PacketRule):
    """The flow is paced to `rate_bps`, what is too much is queued."""

    name = "rate"
    what = "the flow is paced to `rate_bps`, what is too much is queued"
    action = "rate"

    rate_bps: float = 8e6
