"""A snapshot: everything that the probe can tell of the subject at one moment, as plain data.

Its shape is written down in `docs/protocol.md`. What could not be read has `{"unreadable": reason}`
in its place.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from iolab.harness.beside.probe import processes, syscalls
from iolab.harness.beside.probe.counters import counters
from iolab.harness.beside.probe.processes import GONE, Stat, Thread
from iolab.harness.beside.probe.sockets import Row
from iolab.harness.beside.probe.view import Descriptors, Endpoint, Rowless, View

ENDED = {"unreadable": "it ended while it was looked at"}


class ThreadMemory:
    """Since when has a thread slept in the very call that it is in?

    As long as line of `syscall` and count of context switches are the same at each look, it cannot
    have run in between: it is one uninterrupted sleep, and not the next call of the same kind.
    """

    def __init__(self) -> None:
        self._since: dict[tuple[int, int], tuple[str, tuple[int, int], float]] = {}

    def since(self, pid: int, thread: Thread, now: float) -> float | None:
        """Seconds that the sleep under way is known to have lasted; None for a running thread."""
        key = (pid, thread.tid)
        if thread.syscall[0] is None:
            self._since.pop(key, None)
            return None
        known = self._since.get(key)
        if known is None or known[:2] != (thread.call, thread.switches):
            known = self._since[key] = (thread.call, thread.switches, now)
        return now - known[2]

    def forget(self, living: set[int]) -> None:
        """Drop the threads of other processes than these."""
        self._since = {key: kept for key, kept in self._since.items() if key[0] in living}


def take(
    view: View, threads: ThreadMemory, label: str | None, endpoint: Endpoint | None
) -> dict[str, Any]:
    """A snapshot through this view; `endpoint` says which rows without an owner belong in it."""
    rows = view.held(endpoint.port if endpoint else None)
    unlisted = view.unlisted(rows)
    shown = [_row(view, row) for row in rows if _belongs(view, row, endpoint)]
    shown += [_rowless(view, one) for one in unlisted.rowless]
    found = [told for one in view.processes if (told := _process(view, one, threads))]
    if view.unreadable is None:
        view.memory.forget(rows, view.owners)
    threads.forget({one.pid for one in view.processes})
    return {
        "label": label,
        "t": view.t,
        "took_s": round(time.monotonic() - view.t, 6),
        "sockets": shown,
        "other_sockets": unlisted.other,
        "processes": found,
        "main": view.main.pid if view.main else None,
        "counters": _readable(counters),
    }


def _belongs(view: View, row: Row, endpoint: Endpoint | None) -> bool:
    return row.inode in view.owners or (endpoint is not None and endpoint.has(row))


def _row(view: View, row: Row) -> dict[str, Any]:
    info = row.info
    told: dict[str, Any] = info._asdict() if info else {}
    if row.state == "LISTEN":
        told["v6only"] = row.v6only
    return {
        "family": row.family,
        "state": row.state,
        "local": row.local,
        "peer": row.peer,
        "inode": row.inode,
        "owners": view.owners.get(row.inode, []),
        "age_s": round(view.memory.age_s(row, view.t), 6),
        "recv_q": row.recv_q,
        "send_q": row.send_q,
        "retransmits": row.retransmits,
        "timer": row.timer,
        "uid": row.uid,
    } | told


def _rowless(view: View, one: Rowless) -> dict[str, Any]:
    was = one.was
    return {
        "family": was.row.family if was else None,
        "state": "CLOSED",
        "local": was.row.local if was else None,
        "peer": was.row.peer if was else None,
        "inode": one.inode,
        "owners": one.owners,
        "age_s": round(view.t - was.first_seen, 6) if was else None,
        "last_state": was.row.state if was else None,
        "row_gone_s": round(view.t - was.last_seen, 6) if was else None,
    }


def _process(view: View, one: Stat, memory: ThreadMemory) -> dict[str, Any] | None:
    """What is told of a process; None if it has ended while it was looked at."""

    def cpu_s() -> float:
        return processes.cpu_s(one.pid)

    def queued_s() -> float:
        return processes.queued_s(one.pid)

    def fds() -> Descriptors:
        opened = view.descriptors.get(one.pid)
        if isinstance(opened, OSError):
            raise opened
        if opened is None and one.state not in processes.DEAD:
            raise ProcessLookupError
        return opened or {}

    def threads() -> list[dict[str, Any]]:
        return [_thread(one.pid, found, memory, view.t) for found in processes.threads(one.pid)]

    told = {
        "pid": one.pid,
        "ppid": one.ppid,
        "name": one.name,
        "state": one.state,
        "cpu_s": _readable(cpu_s),
        "queued_s": _readable(queued_s),
        "rss": one.rss,
        "children": [other.pid for other in view.processes if other.ppid == one.pid],
        "fds": _readable(fds),
        "threads": _readable(threads),
    }
    return None if ENDED in told.values() else told


def _thread(pid: int, found: Thread, memory: ThreadMemory, now: float) -> dict[str, Any]:
    name, descriptor = found.syscall
    if descriptor is None:
        descriptor = syscalls.polled(pid, found.call)
    since_s = memory.since(pid, found, now)
    return {
        "tid": found.tid,
        "name": found.name,
        "state": found.state,
        "syscall": name,
        "fd": descriptor,
        "wchan": found.wchan,
        "since_s": None if since_s is None else round(since_s, 6),
        "cpu_s": found.cpu_s,
        "switches": found.switches,
    }


def _readable(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except GONE:
        return ENDED
    except OSError as error:
        return {"unreadable": str(error)}
