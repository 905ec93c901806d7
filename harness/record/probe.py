"""What the probe says: snapshots with sockets, processes and threads; packets; what is in doubt.

Fields that nobody reads stay in the line (`docs/protocol.md`). What could not be read by the probe
itself is `Unreadable`.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from iolab.harness.record.base import Address, AnswerKind, EventKind

ZOMBIE = "Z"
LISTEN = "LISTEN"

# What stands before the inode where a descriptor is a socket's.
_SOCKET = "socket:["

# The states of a connection that lies in the accept queue, or is on its way there.
_NOT_YET_ACCEPTED = ("SYN-RECEIVED", "ESTABLISHED", "CLOSE-WAIT")


class Unreadable(msgspec.Struct):
    """What the probe could not read, and why."""

    unreadable: str


class Row(msgspec.Struct, kw_only=True):
    """One TCP socket; `owners`: (process, descriptor) of who holds it; queues and counts in bytes.

    `bytes_received` is None where the kernel does not tell, as of a socket in TIME-WAIT.
    """

    state: str
    local: Address | None
    peer: Address | None
    inode: int
    owners: list[tuple[int, int]]
    recv_q: int = 0
    send_q: int | None = 0
    age_s: float | None = None
    bytes_received: int | None = None
    v6only: bool | None = None

    @property
    def bytes_read(self) -> int:
        """What a process has taken of it; 0 if the kernel does not tell."""
        return max(0, (self.bytes_received or 0) - self.recv_q)

    @property
    def was_never_accepted(self) -> bool:
        """Whether no process has, or ever had, this connection."""
        return not self.owners and not self.inode and self.state in _NOT_YET_ACCEPTED


class Thread(msgspec.Struct, kw_only=True):
    """One thread: its system call (None when it runs), on which descriptor, for how long."""

    tid: int
    syscall: str | None = None
    fd: int | None = None
    since_s: float | None = None
    switches: tuple[int, int] = (0, 0)


class Process(msgspec.Struct, kw_only=True):
    """One process of the subject; `rss` in bytes, `fds` from number to what is open there."""

    pid: int
    name: str
    state: str
    rss: int
    fds: dict[str, str]
    threads: list[Thread] | Unreadable
    cpu_s: float | Unreadable = 0.0
    queued_s: float | Unreadable = 0.0

    @property
    def is_zombie(self) -> bool:
        return self.state == ZOMBIE

    @property
    def seen_threads(self) -> list[Thread]:
        """Its threads, none if they could not be read."""
        return [] if isinstance(self.threads, Unreadable) else self.threads

    @property
    def ran_s(self) -> float:
        """What it had of a CPU, in seconds; 0 if that could not be read."""
        return 0.0 if isinstance(self.cpu_s, Unreadable) else self.cpu_s

    @property
    def waited_s(self) -> float:
        """For how long it wanted a CPU and had none, in seconds; 0 if that could not be read."""
        return 0.0 if isinstance(self.queued_s, Unreadable) else self.queued_s

    def sockets(self) -> Iterator[tuple[str, int]]:
        """(descriptor, inode) of each of its sockets."""
        for fd, target in self.fds.items():
            if target.startswith(_SOCKET):
                yield fd, int(target[len(_SOCKET) : -1])


class Snapshot(msgspec.Struct, kw_only=True):
    """Everything that the probe can tell of the subject at one moment."""

    t: float
    label: str | None = None
    sockets: list[Row]
    processes: list[Process]
    other_sockets: list[int] = msgspec.field(default_factory=list)
    counters: dict[str, int | str] = msgspec.field(default_factory=dict)

    @property
    def listeners(self) -> list[Row]:
        return [row for row in self.sockets if row.state == LISTEN]

    @property
    def connections(self) -> list[Row]:
        return [row for row in self.sockets if row.state != LISTEN]

    @property
    def rss(self) -> int:
        """Resident memory of all processes, in bytes."""
        return sum(process.rss for process in self.processes)

    def counter(self, name: str) -> int:
        """A counter of the kernel's TCP; 0 if it is not there."""
        value = self.counters.get(name, 0)
        return value if isinstance(value, int) else 0

    def held(self) -> Iterator[tuple[int, str, int]]:
        """(process, descriptor, inode) of every socket descriptor of the subject."""
        for process in self.processes:
            for fd, inode in process.sockets():
                yield process.pid, fd, inode


class Looked(AnswerKind, kw_only=True, tag="snapshot"):
    """What was seen when a snapshot was asked for."""

    snapshot: Snapshot | None = None

    @property
    def seen(self) -> Snapshot | None:
        return self.snapshot


class Waited(AnswerKind, kw_only=True, tag="wait"):
    """What was seen when what was waited for held, or `last`, when the time for it was over."""

    snapshot: Snapshot | None = None
    last: Snapshot | None = None

    @property
    def seen(self) -> Snapshot | None:
        return self.snapshot or self.last


class Verdict(msgspec.Struct, kw_only=True):
    """What a rule of the wire did with a packet."""

    rule: int
    action: str
    delay_ms: float | None = None


class Packet(msgspec.Struct, array_like=True):
    """One packet as a row: times in seconds, numbers as in the header, `length` of the payload."""

    t: float
    direction: str
    src: str
    sport: int
    dst: str
    dport: int
    flags: str
    seq: int
    ack: int
    length: int
    window: int
    verdict: Verdict | None = None

    @property
    def sender(self) -> Address:
        return self.src, self.sport

    @property
    def receiver(self) -> Address:
        return self.dst, self.dport


class Packets(AnswerKind, kw_only=True, tag="packets"):
    """The newest packets of some connections."""

    packets: list[Packet] = msgspec.field(default_factory=list)


class Late(EventKind, kw_only=True, tag="late"):
    """The own loop of an agent or probe was late by so much, until `t`."""

    late_s: float


class WireFault(EventKind, kw_only=True, tag="wire-fault"):
    """What the wire tells cannot be trusted."""

    reason: str
