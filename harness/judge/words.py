"""Evidence in words: sockets, threads, reports."""

from __future__ import annotations

import signal
from typing import Any

from iolab.harness.judge.ladder import ladder as draw
from iolab.harness.judge.scene import Record, Scene, address

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


def socket(scene: Scene, row: Record) -> str:
    """One row of the server's socket table."""
    owners = ", ".join(f"descriptor {fd} of process {pid}" for pid, fd in row["owners"])
    waiting = [
        f"{row[key]} bytes {what}"
        for key, what in (("recv_q", "unread"), ("send_q", "unsent"))
        if row.get(key)
    ]
    return (
        f"{scene.name_of(row['peer'])}: {row['state'].replace('_', '-')} in the server's kernel"
        + (f", {' and '.join(waiting)}" if waiting else "")
        + (f", seen for {row['age_s']:.1f} s" if row.get("age_s") else "")
        + (f"; {owners}" if owners else "" if row["inode"] else f"; {_ownerless(row)}")
    )


def _ownerless(row: Record) -> str:
    """Why no process has it: nobody has accepted it yet, or it was closed and is being finished."""
    state = row["state"].replace("_", "-")
    if state in ("SYN-RECEIVED", "ESTABLISHED", "CLOSE-WAIT"):
        return "never accepted"
    return "closed by the server"


def descriptor(pid: int, fd: str, inode: int, whose: str) -> str:
    """A descriptor whose socket is in no table any more."""
    return (
        f"{whose}: its socket {inode} is dead, yet descriptor {fd} of process {pid} still holds it"
    )


UNPROVOKED = [
    "no connection has input or an error: it asks who may be written to, or its own clock"
]


def still_open(scene: Scene, snapshot: Record | None) -> list[str]:
    """What the subject has not closed, its listener included."""
    rows = [row for row in (snapshot or {"sockets": []})["sockets"] if row["owners"]]
    heard = [
        f"it still listens on {address(row['local'])}" for row in rows if row["state"] == "LISTEN"
    ]
    held = [socket(scene, row) for row in rows if row["state"] != "LISTEN"]
    return [*heard, *listed([f"not closed: {line}" for line in held], "sockets")]


def waking(scene: Scene, snapshot: Record | None) -> list[str]:
    """The subject's connections that a poll for input, or for an error, reports at once."""
    return [
        f"always ready: {socket(scene, row)}"
        for row in (snapshot or {"sockets": []})["sockets"]
        if row["owners"]
        and (
            row["state"] in ("CLOSE-WAIT", "CLOSED") or (row["state"] != "LISTEN" and row["recv_q"])
        )
    ]


def threads(scene: Scene, snapshot: Record | None) -> list[str]:
    """What each thread of the subject was doing, with the connection behind the descriptor.

    Of many that do the same a few are told, and of the rest how many: one that is stuck in a write
    must not be lost among those that wait for it.
    """
    if snapshot is None or not isinstance(snapshot.get("processes"), list):
        return []
    rows = {(pid, fd): row for row in snapshot["sockets"] for pid, fd in row.get("owners", ())}
    doing: dict[str, list[str]] = {}
    for process in snapshot["processes"]:
        for thread in process.get("threads", ()):
            call = "zombie" if process["state"] == "Z" else str(thread.get("syscall"))
            doing.setdefault(call, []).append(thread_doing(scene, process, thread, rows))
    few = SHOWN if len(doing) == 1 else SHOWN_OF_A_CALL
    lines = []
    for call, told in sorted(doing.items(), key=lambda one: len(one[1])):
        lines += told[:few]
        if len(told) > few:
            lines.append(f"… and {len(told) - few} more threads ({call})")
    return lines


def thread_doing(
    scene: Scene, process: Record, thread: Record, rows: dict[tuple[int, int], Record]
) -> str:
    """`python3 (14/14) was in sendto on descriptor 7, the connection of victim#0 …, for 2.0 s`."""
    who = f"{process['name']} (process {process['pid']}"
    who += f", thread {thread['tid']})" if thread["tid"] != process["pid"] else ")"
    if process["state"] == "Z":
        return f"{who} is a zombie"
    call = thread.get("syscall")
    if call in (None, "running"):
        return f"{who} was running (no system call)"
    text = f"{who} was in {call}"
    fd = thread.get("fd")
    if fd is not None:
        text += f" on descriptor {fd}"
        row = rows.get((process["pid"], fd))
        if row is not None and row["state"] == "LISTEN":
            text += ", the listener"
            if row["local"][1] != scene.header["target"][1]:
                text += f" of {address(row['local'])}"
        elif row is not None:
            text += f", the connection of {scene.name_of(row['peer'])}"
        else:
            target = process["fds"].get(str(fd))
            text += f" ({target})" if target else ""
    if thread.get("since_s"):
        text += f", for {thread['since_s']:.1f} s"
    return text


def ladder(scene: Scene, peer: Any) -> list[str]:
    """The last packets between a client and the server; nothing where none could be seen."""
    server = scene.header.get("target")
    rows = scene.packets_of(peer)
    if not rows or not server:
        return []
    return draw(rows, (peer[0], peer[1]), (server[0], server[1]), lines=LADDER_LINES).splitlines()


def outcome(report: Record) -> str:
    """How a connection fared, in words."""
    who = f"{report['connection']} {address(report['local'])}"
    step = report["step"]
    failure = report.get("failure")
    got = (
        f"sent {quantity(report['sent'])} ({report['messages']} messages), "
        f"received {quantity(report['received'])} ({report['replies']} right replies)"
    )
    if failure:
        told = f"{who}: {failure['kind']} at step {failure['step']}"
        if failure.get("detail"):
            told += f": {failure['detail']}"
        if failure["kind"] == "mismatch":
            told += f"; at byte {failure['at']} expected {failure['expected']!r}"
            told += f", got {failure['got']!r}"
        return f"{told}; {got}"
    return f"{who}: {report['outcome']} at step {step['index']} ({step['doing']}); {got}"


def survivors(record: Record) -> list[str]:
    """Processes that outlived the main process, and what they hold."""
    return [
        f"{process['name']} (process {process['pid']}) outlived the main process"
        + (", and keeps its listener" if process["pid"] in record["listeners"] else "")
        for process in record["processes"]
    ]


def listed(items: list[str], what: str) -> list[str]:
    """The first few, and how many more there are."""
    if len(items) <= SHOWN:
        return items
    return [*items[:SHOWN], f"… and {len(items) - SHOWN} more {what}"]


def log_tail(end: Record, lines: int = 5) -> list[str]:
    """The server's last words and how it ended."""
    said: list[Any] = end.get("log", [])
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
