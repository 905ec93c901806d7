"""What a subject still holds of connections that are dead: sockets and descriptors, as data."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from iolab.harness.judge.cookies import made_of_cookies
from iolab.harness.judge.scene import Scene
from iolab.harness.record.base import Address
from iolab.harness.record.probe import LISTEN, Row, Snapshot


@dataclass(frozen=True)
class Orphan:
    """A descriptor whose socket is in no table any more; `scripted`: known to be a script's."""

    pid: int
    fd: str
    inode: int
    scripted: bool


Leftover = Row | Orphan

# A connection without an owner in these states waits to be accepted; in others the server has
# closed it, and the kernel alone holds it.
WAITING = ("ESTABLISHED", "CLOSE-WAIT")


def cause(left: Iterable[Leftover]) -> str:
    """The gravest reason why it was left, as a short key."""
    rows = [one for one in left if isinstance(one, Row)]
    if any(row.state == "CLOSE-WAIT" and not row.was_never_accepted for row in rows):
        return "CLOSE-WAIT"
    if any(isinstance(one, Orphan) for one in left):
        return "descriptor leaked"
    if any(row.was_never_accepted for row in rows):
        return "never accepted"
    return "not removed"


def of_these(
    scene: Scene, snapshot: Snapshot, peers: Collection[Address], inodes: Collection[int]
) -> list[Leftover]:
    """What the subject still holds of these connections."""
    told = {row.inode for row in made_of_cookies(scene, snapshot)}
    left: list[Leftover] = []
    for row in snapshot.sockets:
        if (row.inode in told and row.inode) or row.peer not in peers:
            continue
        if row.owners or row.inode:
            left.append(row)
            told.add(row.inode)
        elif row.state in WAITING:
            left.append(row)
    wanted = set(inodes) - told
    return left + [
        Orphan(pid, fd, inode, scripted=True)
        for pid, fd, inode in snapshot.held()
        if inode in wanted
    ]


def but_these(
    scene: Scene, snapshot: Snapshot, peers: Collection[Address], inodes: Collection[int]
) -> list[Leftover]:
    """What the subject holds beside its listeners and these connections."""
    known = set(inodes) | {row.inode for row in made_of_cookies(scene, snapshot)}
    left: list[Leftover] = [
        row
        for row in snapshot.sockets
        if row.state != LISTEN
        and row.peer not in peers
        and row.inode not in known
        and (row.owners or row.state in WAITING)
    ]
    known |= {row.inode for row in snapshot.sockets} | set(snapshot.other_sockets)
    return left + [
        Orphan(pid, fd, inode, scripted=False)
        for pid, fd, inode in snapshot.held()
        if inode not in known
    ]
