"""The kernel's truth, read by the probe beside the subject."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from iolab.harness.backends.channel import Channel, Refused
from iolab.harness.beside.probe.view import Endpoint
from iolab.harness.record.base import Address
from iolab.harness.record.kinds import Afterwards, Left
from iolab.harness.record.probe import Packets, Process, Row, Snapshot

# Between two looks at a subject that keeps a bystander waiting.
LOOK_AGAIN_S = 0.3

# What did not hold in time is looked at for as long again, and no longer than this.
MOST_LATE_S = 2.0

# How long the children of a killed subject may take to follow it.
FOLLOW_WITHIN_S = 1.0


class ProbeHandle:
    """What a lab asks of its probe. Everything asked and answered is recorded by the channel."""

    def __init__(self, channel: Channel, host: str, port: int) -> None:
        """`host` and `port` are where the subject's clients come to."""
        self.channel = channel
        self.request = channel.request
        self._port = port
        self._door = Endpoint(port, host)

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
        """Processes that outlive the subject's main process; which of them hold its listener.

        A listener of their own on another port is their own affair.
        """
        snapshot = self._outliving()
        if snapshot is None:
            return [], []
        return snapshot.processes, sorted(holders(self.listeners_in(snapshot)))

    def left_behind(self) -> list[Left]:
        """What outlives the subject's main process, and where each of them listens."""
        snapshot = self._outliving()
        if snapshot is None:
            return []
        return [
            Left(
                pid=process.pid,
                name=process.name,
                listens=[
                    row.local
                    for row in snapshot.listeners
                    if row.local and process.pid in holders([row])
                ],
            )
            for process in snapshot.processes
            if not process.is_zombie
        ]

    def _outliving(self) -> Snapshot | None:
        """What goes on when all had the time to follow the main process; None if all did."""
        if self.sees({"exited": {}}, within_s=FOLLOW_WITHIN_S):
            return None
        return self.snapshot("survivors")

    def listeners(self) -> set[int]:
        """The processes of the subject that hold a listener which its clients come to."""
        return holders(self.listeners_in(self.snapshot("listeners")))

    def listeners_in(self, snapshot: Snapshot) -> list[Row]:
        """The listening sockets of a snapshot that the subject's clients come to.

        A subject may have others, for its statistics or for a process of its own.
        """
        return [
            row
            for row in snapshot.listeners
            if row.local and self._door.hears(row.local, row.v6only)
        ]

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


def holders(rows: Iterable[Row]) -> set[int]:
    """The processes of the subject that hold one of these sockets open."""
    return {pid for row in rows for pid, _ in row.owners}
