"""The records of one playing, indexed for the judge."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

Record = dict[str, Any]
Peer = tuple[Any, ...]


# The second look at a subject that keeps a bystander waiting: it tells for how long a call lasts.
CLEARLY_S = 0.7


@dataclass
class Scene:
    """What was recorded, by what the judge asks for."""

    records: list[Record]
    header: Record = field(default_factory=dict)
    groups: dict[str, Record] = field(default_factory=dict)
    reports: dict[str, Record] = field(default_factory=dict)
    snapshots: list[Record] = field(default_factory=list)
    end: Record = field(default_factory=dict)

    @classmethod
    def of(cls, records: list[Record]) -> Scene:
        scene = cls(records)
        for record in records:
            scene._take(record)
        return scene

    def _take(self, record: Record) -> None:
        kind, op = record.get("kind"), record.get("op")
        if kind == "scenario":
            self.header = record
        elif kind == "target":
            self.header["target"] = record["address"]
        elif kind == "group":
            self.groups[record["group"]] = record
        elif kind == "end":
            self.end = record
        if record.get("event") == "ended" and "outcome" in record:
            self.reports[record["connection"]] = record
        if op == "report" and record["ok"]:
            for report in record["connections"]:
                self.reports[report["connection"]] = report
        snapshot = record.get("snapshot") or record.get("last")
        if isinstance(snapshot, dict) and "sockets" in snapshot:
            self.snapshots.append(snapshot)

    def of_kind(self, *kinds: str) -> list[Record]:
        """The lab's own records of these kinds."""
        return [record for record in self.records if record.get("kind") in kinds]

    def events(self, *names: str) -> Iterator[Record]:
        """The events of agents and probe of these names."""
        return (record for record in self.records if record.get("event") in names)

    def reports_of(self, group: str) -> list[Record]:
        """The last report of each connection of the group."""
        return [r for name, r in self.reports.items() if name.rpartition("#")[0] == group]

    def group_of(self, connection: str) -> str:
        return connection.rpartition("#")[0]

    @property
    def bystander_groups(self) -> set[str]:
        return {name for name, group in self.groups.items() if group["must"] == "promptly"}

    def snapshot(self, label: str) -> Record | None:
        """The last snapshot under that label."""
        return next((s for s in reversed(self.snapshots) if s.get("label") == label), None)

    def packets_of(self, peer: Any) -> list[list[Any]]:
        """The packets on record of one connection, in order."""
        if not peer:
            return []
        host, port = peer
        return [
            row
            for record in self.records
            if record.get("op") == "packets" and record["ok"]
            for row in record["packets"]
            if [row[2], row[3]] == [host, port] or [row[4], row[5]] == [host, port]
        ]

    def snapshot_at(self, t: float) -> Record:
        """The snapshot that was taken at that very moment."""
        return next(s for s in self.snapshots if s["t"] == t)

    def snapshot_before(self, t: float) -> Record | None:
        """The last snapshot taken before `t`."""
        before = [s for s in self.snapshots if s["t"] <= t]
        return max(before, key=lambda s: float(s["t"])) if before else None

    def snapshot_during(self, begin: float, end: float) -> Record | None:
        """The first snapshot that was taken when it was clear that somebody waits, or the nearest.

        By the end what was waited for has come, and whoever was in the way does something else.
        """
        inside = [s for s in self.snapshots if begin + CLEARLY_S < s["t"] < end]
        return min(inside, key=lambda s: float(s["t"])) if inside else self.snapshot_near(end)

    def snapshot_near(self, t: float) -> Record | None:
        """The first snapshot taken at or after `t`, or else the last before."""
        after = [s for s in self.snapshots if s["t"] >= t]
        if after:
            return min(after, key=lambda s: float(s["t"]))
        return self.snapshots[-1] if self.snapshots else None

    def name_of(self, peer: Peer) -> str:
        """Who is behind an address: `victim#3, 10.91.0.4:50112`."""
        if not peer:
            return "a connection that was dead before anybody could see whose it was"
        where = address(peer)
        for name, report in self.reports.items():
            if report.get("local") and tuple(report["local"]) == tuple(peer):
                return f"{name} {where}"
        return where


def address(peer: Peer | list[Any] | None) -> str:
    """An address as people write it."""
    if not peer:
        return "an unknown address"
    host, port = peer[0], peer[1]
    return f"[{host}]:{port}" if ":" in str(host) else f"{host}:{port}"
