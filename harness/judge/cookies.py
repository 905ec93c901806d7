"""Connections that nobody made: what SYN cookies make of the last packet of a client that has left.

A kernel whose queue of handshakes is full answers a SYN by a cookie and remembers nothing (tcp(7),
`tcp_syncookies`). While it does so, any acknowledgement whose numbers fit completes a handshake,
and those of the last one of a connection that has ended still fit: when it arrives twice, the
server gets a new client, of whom nobody will ever hear, and cannot tell him from the living.
"""

from __future__ import annotations

from iolab.harness.judge.scene import Scene
from iolab.harness.record.base import Address
from iolab.harness.record.probe import Row, Snapshot

COUNTER = "SyncookiesRecv"


def made_of_cookies(scene: Scene, snapshot: Snapshot) -> list[Row]:
    """The rows that can only be such: young, silent, and no more than cookies were taken for."""
    earlier = [one for one in scene.snapshots if one.t <= snapshot.t]
    before = next((one for one in reversed(earlier) if one.label == "trigger"), None)
    if before is None:
        return []
    taken = snapshot.counter(COUNTER) - before.counter(COUNTER)
    known = {row.inode for row in before.sockets}
    gone = _left(scene)
    alone = [
        row
        for row in snapshot.sockets
        if row.state == "ESTABLISHED"
        and row.owners
        and row.inode not in known
        and not row.recv_q
        and not row.send_q
        and row.peer in gone
    ]
    return alone if len(alone) <= taken else []


def _left(scene: Scene) -> set[Address]:
    """The addresses of clients that have ended."""
    return {
        report.local
        for report in scene.reports.values()
        if report.local
        and report.outcome != "running"
        and report.group not in scene.bystander_groups
    }
