"""The records of one playing, indexed for the judge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from iolab.harness.record.agent import Report, Reports
from iolab.harness.record.base import Address, Record, RecordError
from iolab.harness.record.kinds import End, Group, Header, Target
from iolab.harness.record.probe import Looked, Packet, Packets, Snapshot, Waited

K = TypeVar("K", bound=Record)

# The second look at a subject that keeps a bystander waiting: it tells for how long a call lasts.
CLEARLY_S = 0.7


@dataclass
class Scene:
    """What was recorded, by what the judge asks for."""

    records: Sequence[Record]
    header: Header
    target: Address | None = None
    groups: dict[str, Group] = field(default_factory=dict)
    reports: dict[str, Report] = field(default_factory=dict)
    snapshots: list[Snapshot] = field(default_factory=list)
    packets: list[Packet] = field(default_factory=list)
    end: End | None = None

    @classmethod
    def of(cls, records: Sequence[Record]) -> Scene:
        """The scene of one playing; RecordError if it does not begin with its header."""
        if not records or not isinstance(records[0], Header):
            raise RecordError("what was recorded does not begin with the scenario")
        scene = cls(records, records[0])
        for record in records:
            scene._take(record)
        return scene

    def _take(self, record: Record) -> None:
        match record:
            case Target():
                self.target = record.address
            case Group():
                self.groups[record.group] = record
            case Report():
                self.reports[record.connection] = record
            case Reports():
                self.reports |= {report.connection: report for report in record.connections}
            case Looked() | Waited():
                if record.seen is not None:
                    self.snapshots.append(record.seen)
            case Packets():
                self.packets += record.packets
            case End():
                self.end = record

    def all(self, kind: type[K]) -> list[K]:
        """The records of that type, in order."""
        return [record for record in self.records if isinstance(record, kind)]

    def has(self, *kinds: type[Record]) -> bool:
        """Whether there is a record of one of those types."""
        return any(isinstance(record, kinds) for record in self.records)

    @property
    def ended_at(self) -> float:
        """When the playing was over; 0 if nobody knows."""
        return self.end.t if self.end else 0.0

    def reports_of(self, group: str) -> list[Report]:
        """The last report of each connection of the group."""
        return [report for report in self.reports.values() if report.group == group]

    @property
    def bystander_groups(self) -> set[str]:
        return {name for name, group in self.groups.items() if group.must == "promptly"}

    def snapshot(self, label: str) -> Snapshot | None:
        """The last snapshot under that label."""
        return next((one for one in reversed(self.snapshots) if one.label == label), None)

    def packets_of(self, peer: Address | None) -> list[Packet]:
        """The packets on record of one connection, in order."""
        return [packet for packet in self.packets if peer in (packet.sender, packet.receiver)]

    def snapshot_at(self, t: float) -> Snapshot:
        """The snapshot that was taken at that very moment; RecordError if there is none."""
        for one in self.snapshots:
            if one.t == t:
                return one
        raise RecordError(f"no snapshot of the moment {t} is on record")

    def snapshot_before(self, t: float) -> Snapshot | None:
        """The last snapshot taken before `t`."""
        before = [one for one in self.snapshots if one.t <= t]
        return max(before, key=lambda one: one.t) if before else None

    def snapshot_during(self, begin: float, end: float) -> Snapshot | None:
        """The first snapshot that was taken when it was clear that somebody waits, or the nearest.

        By the end what was waited for has come, and whoever was in the way does something else.
        """
        inside = [one for one in self.snapshots if begin + CLEARLY_S < one.t < end]
        return min(inside, key=lambda one: one.t) if inside else self.snapshot_near(end)

    def snapshot_near(self, t: float) -> Snapshot | None:
        """The first snapshot taken at or after `t`, or else the last before."""
        after = [one for one in self.snapshots if one.t >= t]
        if after:
            return min(after, key=lambda one: one.t)
        return self.snapshots[-1] if self.snapshots else None

    def name_of(self, peer: Address | None) -> str:
        """Who is behind an address: `victim#3, 10.91.0.4:50112`."""
        if not peer:
            return "a connection that was dead before anybody could see whose it was"
        where = address(peer)
        for name, report in self.reports.items():
            if report.local == peer:
                return f"{name} {where}"
        return where


def address(peer: Address | None) -> str:
    """An address as people write it."""
    if not peer:
        return "an unknown address"
    host, port = peer
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
