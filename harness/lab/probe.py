"""The kernel's truth, read by the probe beside the subject."""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping
from typing import Any

import msgspec

from iolab.harness.backends.channel import Channel, Refused
from iolab.harness.record.base import Address
from iolab.harness.record.kinds import Afterwards
from iolab.harness.record.probe import Packets, Process, Snapshot

# Between two looks at a subject that keeps a bystander waiting.
LOOK_AGAIN_S = 0.3

# What did not hold in time is looked at for as long again, and no longer than this.
MOST_LATE_S = 2.0

# How long the children of a killed subject may take to follow it.
FOLLOW_WITHIN_S = 1.0


class ProbeHandle:
    """What a lab asks of its probe. Everything asked and answered is recorded by the channel."""

    def __init__(self, channel: Channel, port: int) -> None:
        self.channel = channel
        self.request = channel.request
        self._port = port

    def snapshot(self, label: str) -> Snapshot:
        """The probe's snapshot, recorded under the label."""
        answer = self.request("snapshot", label=label, port=self._port)
        return msgspec.convert(answer["snapshot"], Snapshot)

    def look(self, label: str) -> None:
        """Two snapshots, now and a moment later, without waiting for them."""
        self.channel.send("snapshot", label=label, port=self._port)
        never = {"counter": {"name": "ListenOverflows", "above": 1 << 62}}
        self.channel.send("wait", condition=never, within_s=LOOK_AGAIN_S)

    def sees(self, condition: Mapping[str, Any], within_s: float = 5.0) -> bool:
        """Whether the probe sees the condition hold in time."""
        try:
            self.request("wait", condition=dict(condition), within_s=within_s)
        except Refused as refused:
            if not refused.timed_out:
                raise
            return False
        return True

    def sees_late(self, condition: Mapping[str, Any], within_s: float) -> Afterwards:
        """Whether it holds after as long again, and when was looked around that.

        Why it was late is for the judge to say.
        """
        before = self.snapshot("not yet")
        held = self.sees(condition, min(within_s, MOST_LATE_S))
        return Afterwards(held=held, looks=(before.t, self.snapshot("late").t))

    def resident(self) -> int:
        """Resident memory of all processes of the subject, in bytes."""
        return self.snapshot("memory").rss

    def cpu_used(self) -> tuple[float, float]:
        """The time, and the seconds of CPU that the subject has wanted by then.

        What it waited for on the run queue counts as well: on a busy machine who spins gets little.
        """
        snapshot = self.snapshot("cpu")
        living = [process for process in snapshot.processes if not process.is_zombie]
        return snapshot.t, sum(one.ran_s + one.waited_s for one in living)

    def survivors(self) -> tuple[list[Process], list[int]]:
        """Processes that outlive the subject's main process; which of them hold its listener."""
        if self.sees({"exited": {}}, within_s=FOLLOW_WITHIN_S):
            return [], []
        snapshot = self.snapshot("survivors")
        return snapshot.processes, sorted(_listeners(snapshot))

    def listeners(self) -> set[int]:
        """The processes of the subject that hold a listener."""
        return _listeners(self.snapshot("listeners"))

    def rule_took(self, rule: int, packets: int = 1, within_s: float = 5.0) -> bool:
        """Whether a rule of the wire has taken so many packets in time."""
        try:
            self.request("rule-wait", rule=rule, taken=packets, within_s=within_s)
        except Refused as refused:
            if not refused.timed_out:
                raise
            return False
        return True

    def saw_packet(self, peer: Address, flag: str, within_s: float = 1.0) -> bool | None:
        """Whether a packet of that peer has the flag, in time; None if none of it is seen."""
        deadline = time.monotonic() + within_s
        while True:
            answer = msgspec.convert(self.request("packets", peer=peer), Packets)
            seen = any(flag in packet.flags for packet in answer.packets)
            if seen or time.monotonic() > deadline:
                return seen if answer.packets else None

    def pcap(self) -> bytes:
        """The headers seen on the subject's network, as a pcapng file."""
        return base64.b64decode(self.request("save")["pcap"])


def _listeners(snapshot: Snapshot) -> set[int]:
    return {pid for row in snapshot.listeners for pid, _ in row.owners}
