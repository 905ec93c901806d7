"""Evidence in words: sockets, threads, reports."""

from __future__ import annotations

import signal
from collections.abc import Mapping

from iolab.harness.judge.ladder import ladder as draw
from iolab.harness.judge.leftovers import Orphan
from iolab.harness.judge.scene import Scene, address
from iolab.harness.record.agent import Report
from iolab.harness.record.base import Address
from iolab.harness.record.kinds import End, Survivors
from iolab.harness.record.probe import LISTEN, Process, Row, Snapshot, Thread

SHOWN = 5
SHOWN_OF_A_CALL = 3
LADDER_LINES = 12


def printable(text: str) -> str:
    """What a server said, without power over the terminal that shows it."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def quantity(size: int) -> str:
    """Bytes as people read them."""
    if size < 10_000:
        return f"{size} B"
    if size < 10 << 20:
        return f"{size / 1024:.0f} KiB"
    return f"{size / (1 << 20):.0f} MiB"


def socket(scene: Scene, row: Row) -> str:
    """One row of the server's socket table."""
    owners = ", ".join(f"descriptor {fd} of process {pid}" for pid, fd in row.owners)
    waiting = [
        f"{size} bytes {what}"
        for size, what in ((row.recv_q, "unread"), (row.send_q, "unsent"))
        if size
    ]
    nobodys = "" if row.inode else f"; {_ownerless(row)}"
    return (
        f"{scene.name_of(row.peer)}: {row.state} in the server's kernel"
        + (f", {' and '.join(waiting)}" if waiting else "")
        + (f", seen for {row.age_s:.1f} s" if row.age_s else "")
        + (f"; {owners}" if owners else nobodys)
    )


def _ownerless(row: Row) -> str:
    """Why no process has it: nobody has accepted it yet, or it was closed and is being finished."""
    return "never accepted" if row.was_never_accepted else "closed by the server"


def leftover(scene: Scene, left: Row | Orphan) -> str:
    """What the subject still holds of a dead connection."""
    return orphan(left) if isinstance(left, Orphan) else socket(scene, left)


def orphan(left: Orphan) -> str:
    """A descriptor whose socket is in no table any more."""
    whose = "a scripted connection" if left.scripted else "a connection that was reset"
    return (
        f"{whose}: its socket {left.inode} is dead, yet descriptor {left.fd} of process {left.pid} "
        "still holds it"
    )


UNPROVOKED = [
    "no connection has input or an error: it asks who may be written to, or its own clock"
]


def still_open(scene: Scene, snapshot: Snapshot | None) -> list[str]:
    """What the subject has not closed, its listener included; or that it has closed all."""
    rows = [row for row in (snapshot.sockets if snapshot else []) if row.owners]
    if snapshot and not rows:
        return ["it has closed all its sockets: what its threads wait for keeps it"]
    heard = [f"it still listens on {address(row.local)}" for row in rows if row.state == LISTEN]
    held = [socket(scene, row) for row in rows if row.state != LISTEN]
    return [*heard, *listed([f"not closed: {line}" for line in held], "sockets")]


def waking(scene: Scene, snapshot: Snapshot | None) -> list[str]:
    """The subject's sockets that a poll for input, or for an error, reports at once.

    A listener is one of them for as long as somebody waits to be accepted.
    """
    rows = [row for row in (snapshot.sockets if snapshot else []) if row.owners]
    waited_for = [
        f"always ready: the listener on {address(row.local)}, and {row.recv_q} wait in its "
        "queue to be accepted"
        for row in rows
        if row.state == LISTEN and row.recv_q
    ]
    return waited_for + [
        f"always ready: {socket(scene, row)}"
        for row in rows
        if row.state != LISTEN and (row.state in ("CLOSE-WAIT", "CLOSED") or row.recv_q)
    ]


def threads(scene: Scene, snapshot: Snapshot | None) -> list[str]:
    """What each thread of the subject was doing, with the connection behind the descriptor.

    Of many that do the same a few are told, and of the rest how many: one that is stuck in a write
    must not be lost among those that wait for it.
    """
    if snapshot is None:
        return []
    rows = {owner: row for row in snapshot.sockets for owner in row.owners}
    doing: dict[str, list[str]] = {}
    for process in snapshot.processes:
        for thread in process.seen_threads:
            call = "zombie" if process.is_zombie else str(thread.syscall)
            doing.setdefault(call, []).append(thread_doing(scene, process, thread, rows))
    few = SHOWN if len(doing) == 1 else SHOWN_OF_A_CALL
    lines = []
    for call, told in sorted(doing.items(), key=lambda one: len(one[1])):
        lines += told[:few]
        if len(told) > few:
            lines.append(f"… and {len(told) - few} more threads ({call})")
    return lines


def thread_doing(
    scene: Scene, process: Process, thread: Thread, rows: Mapping[tuple[int, int], Row]
) -> str:
    """`python3 (14/14) was in sendto on descriptor 7, the connection of victim#0 …, for 2.0 s`."""
    who = f"{process.name} (process {process.pid}"
    who += f", thread {thread.tid})" if thread.tid != process.pid else ")"
    if process.is_zombie:
        return f"{who} is a zombie"
    if thread.syscall in (None, "running"):
        return f"{who} was running (no system call)"
    text = f"{who} was in {thread.syscall}"
    if thread.fd is not None:
        text += f" on descriptor {thread.fd}"
        row = rows.get((process.pid, thread.fd))
        if row is not None and row.state == LISTEN:
            text += ", the listener"
            if row.local and scene.target and row.local[1] != scene.target[1]:
                text += f" of {address(row.local)}"
        elif row is not None:
            text += f", the connection of {scene.name_of(row.peer)}"
        else:
            target = process.fds.get(str(thread.fd))
            text += f" ({target})" if target else ""
    if thread.since_s:
        text += f", for {thread.since_s:.1f} s"
    return text


def ladder(scene: Scene, peer: Address | None) -> list[str]:
    """The last packets between a client and the server; nothing where none could be seen."""
    rows = scene.packets_of(peer)
    if not peer or not rows or not scene.target:
        return []
    return draw(rows, peer, scene.target, lines=LADDER_LINES).splitlines()


def outcome(report: Report) -> str:
    """How a connection fared, in words."""
    who = f"{report.connection} {address(report.local)}"
    failure = report.failure
    got = (
        f"sent {quantity(report.sent)} ({report.messages} messages), "
        f"received {quantity(report.received)} ({report.replies} right replies)"
    )
    if failure:
        told = f"{who}: {failure.kind} at step {failure.step}"
        if failure.detail:
            told += f": {failure.detail}"
        if failure.kind == "mismatch":
            told += f"; at byte {failure.at} expected {failure.expected!r}, got {failure.got!r}"
        return f"{told}; {got}"
    return f"{who}: {report.outcome} at step {report.step.index} ({report.step.doing}); {got}"


def row_of(scene: Scene, snapshot: Snapshot | None, report: Report) -> list[str]:
    """The connection's row in the server's kernel, or when it was last seen there."""
    if snapshot is None or not report.local:
        return []
    before = [one for one in scene.snapshots if one.t < snapshot.t]
    for near in (snapshot, *sorted(before, key=lambda one: -one.t)):
        for row in near.sockets:
            if row.peer == report.local:
                ago = snapshot.t - near.t
                return [socket(scene, row) + (f" ({ago:.1f} s before)" if ago else "")]
    return [f"no socket for {address(report.local)} in the server's kernel"]


def survivors(record: Survivors) -> list[str]:
    """Processes that outlived the main process, and what they hold."""
    return [
        f"{process.name} (process {process.pid}) outlived the main process"
        + (", and keeps its listener" if process.pid in record.listeners else "")
        for process in record.processes
    ]


def listed(items: list[str], what: str) -> list[str]:
    """The first few, and how many more there are."""
    if len(items) <= SHOWN:
        return items
    return [*items[:SHOWN], f"… and {len(items) - SHOWN} more {what}"]


def log_tail(end: End | None, lines: int = 5) -> list[str]:
    """The server's last words and how it ended."""
    said = end.log if end else []
    told = [f"its log: {printable(line.rstrip())}" for _, _, line in said[-lines:]]
    return told or ["its log is empty"]


def exit_status(status: int | None) -> str:
    """An exit status as people read it."""
    if status is None:
        return "still running"
    if status < 0:
        try:
            return f"killed by {signal.Signals(-status).name}"
        except ValueError:
            return f"killed by signal {-status}"
    return f"exit status {status}"
