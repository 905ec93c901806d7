"""Processes as the kernel has them: what proc(5) tells of them, read as it stands.

Whatever is read may be gone before the reading ends. A process, thread or descriptor that vanished
is left out, for it is no more; one that may not be read raises PermissionError, for it is there.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import NamedTuple

from iolab.harness.beside.probe import syscalls

PAGE = os.sysconf("SC_PAGE_SIZE")
TICK_S = 1 / os.sysconf("SC_CLK_TCK")
GONE = (FileNotFoundError, ProcessLookupError)
STOPPED = "Tt"  # by a signal, or by a tracer
DEAD = "ZX"
RUNNABLE = "R"  # on a CPU, or waiting for one


class Stat(NamedTuple):
    """A line of `/proc/PID/stat`, of a process or a thread."""

    pid: int
    name: str
    state: str  # R, S, D, T, t, Z, X, I
    ppid: int
    session: int
    ticks: int  # of CPU time, user and system
    threads: int
    start: int  # in ticks since boot: with `pid`, it names a process for good
    rss: int  # bytes

    @property
    def identity(self) -> tuple[int, int]:
        """Distinguishes a process from a later one with its number."""
        return self.pid, self.start


class Thread(NamedTuple):
    """One thread at one moment."""

    tid: int
    name: str
    state: str
    call: str  # the line of `/proc/PID/task/TID/syscall`
    wchan: str | None  # the kernel function that it sleeps in, None when it does not
    cpu_s: float  # to 10 ms
    switches: tuple[int, int]  # voluntary, forced

    @property
    def syscall(self) -> tuple[str | None, int | None]:
        """Name of the system call that it is in, and its descriptor argument."""
        return syscalls.describe(self.call)


def read(path: str) -> bytes:
    """A small file of `/proc`, whole."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        pieces = []
        while piece := os.read(descriptor, 1 << 16):
            pieces.append(piece)
        return b"".join(pieces)
    finally:
        os.close(descriptor)


def stat(path: str) -> Stat:
    """Read `path`/stat, of `/proc/PID` or `/proc/PID/task/TID`."""
    head, _, tail = read(f"{path}/stat").rpartition(b")")
    pid, _, name = head.partition(b" (")
    field = tail.split()
    return Stat(
        pid=int(pid),
        name=name.decode(errors="replace"),
        state=field[0].decode(),
        ppid=int(field[1]),
        session=int(field[3]),
        ticks=int(field[11]) + int(field[12]),
        threads=int(field[17]),
        start=int(field[19]),
        rss=int(field[21]) * PAGE,
    )


def every() -> Iterator[Stat]:
    """Every process of this PID namespace, zombies included."""
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                yield stat(f"/proc/{name}")
            except GONE:
                continue


def descriptors(pid: int) -> dict[int, str]:
    """What each open descriptor of the process stands for: `socket:[123]`, `/dev/null`."""
    folder = f"/proc/{pid}/fd/"
    found = {}
    for name in os.listdir(folder):
        try:
            found[int(name)] = os.readlink(folder + name)
        except GONE:
            continue
    return found


def protocol(pid: int, descriptor: int) -> str:
    """The protocol of a socket, as the kernel calls it: `TCP`, `TCPv6`, `UNIX-STREAM`.

    It is known even of a socket that is in none of the kernel's tables any more.
    """
    name = os.getxattr(f"/proc/{pid}/fd/{descriptor}", "system.sockprotoname")
    return name.rstrip(b"\0").decode()


def cpu_s(pid: int) -> float:
    """CPU time of the process with all threads that it has and had, exact to the ns.

    From the process's CPU clock (clock_getcpuclockid(3)), which anybody may read.
    ProcessLookupError when the process is gone.
    """
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError as error:
        raise ProcessLookupError(*error.args) from None


def queued_s(pid: int) -> float:
    """For how long the threads that it has now were runnable and had no CPU (schedstat).

    0 where the kernel keeps no such statistics. ProcessLookupError when the process is gone.
    """
    waited_ns = 0
    try:
        with os.scandir(f"/proc/{pid}/task") as tasks:
            for task in tasks:
                try:
                    waited_ns += int(read(f"{task.path}/schedstat").split()[1])
                except GONE:
                    continue
    except FileNotFoundError as error:
        raise ProcessLookupError(*error.args) from None
    return waited_ns / 1e9


def threads(pid: int) -> list[Thread]:
    """The threads of a process. Those of a zombie have no system call and no switches."""
    found = []
    for name in sorted(os.listdir(f"/proc/{pid}/task"), key=int):
        try:
            found.append(thread(f"/proc/{pid}/task/{name}"))
        except GONE:
            continue
    return found


def thread(path: str) -> Thread:
    """The thread at `/proc/PID/task/TID`."""
    now = stat(path)
    asleep_in = read(f"{path}/wchan").decode()
    return Thread(
        tid=now.pid,
        name=now.name,
        state=now.state,
        call=read(f"{path}/syscall").decode().strip(),
        wchan=None if asleep_in in ("", "0") else asleep_in,
        cpu_s=now.ticks * TICK_S,
        switches=_switches(read(f"{path}/status")),
    )


def states(pid: int) -> str:
    """The state letters of all threads of a process, cheaply: `SSR`."""
    found = ""
    for name in os.listdir(f"/proc/{pid}/task"):
        try:
            found += stat(f"/proc/{pid}/task/{name}").state
        except GONE:
            continue
    return found


def stands(pid: int) -> bool:
    """Whether no thread of the process can go on before it is continued."""
    folder = f"/proc/{pid}/task"
    for name in os.listdir(folder):
        try:
            state = stat(f"{folder}/{name}").state
            if state not in STOPPED and not (state == "D" and _waits_in_vfork(pid, name)):
                return False
        except GONE:
            continue
    return True


def _waits_in_vfork(pid: int, task: str) -> bool:
    """Whether a thread waits, deaf to every signal, for a stopped child to become a program.

    Until then the two share their memory (vfork(2)), and the parent's own stop waits too.
    """
    call, _ = syscalls.describe(read(f"/proc/{pid}/task/{task}/syscall").decode().strip())
    return call in ("vfork", "clone", "clone3") and any(
        one.ppid == pid and one.state in STOPPED for one in every()
    )


def _switches(status: bytes) -> tuple[int, int]:
    counts = {}
    for line in status.splitlines():
        if b"ctxt_switches" in line:
            name, _, value = line.partition(b":")
            counts[name] = int(value)
    return counts.get(b"voluntary_ctxt_switches", 0), counts.get(b"nonvoluntary_ctxt_switches", 0)
