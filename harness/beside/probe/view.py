"""The subject at one moment: socket table, processes, descriptors, each read when first asked for.

Conditions and snapshots look through a `View`. A condition that needs the socket table alone costs
one filtered dump, one that asks for owners costs the reading of all descriptors as well, and
conditions that wait at the same time share what was read.

`Memory` is what must be kept between views: when the probe first saw a socket, and what a socket
was while it had a row. A socket that was reset has no row any more, and an open descriptor on it
tells nothing but its inode; the memory knows whose connection it was.
"""

from __future__ import annotations

import os
import time
from collections.abc import Container, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Protocol

from iolab.client.fields import Address
from iolab.harness.beside.probe import processes
from iolab.harness.beside.probe.processes import GONE, Stat
from iolab.harness.beside.probe.sockets import Row
from iolab.harness.beside.probe.subject import SubjectProcesses

Descriptors = dict[int, str]
Owners = dict[int, list[tuple[int, int]]]
"""By inode: (process, descriptor)."""


ANY = "0.0.0.0"


class Table(Protocol):
    """Where rows come from."""

    source: str

    def rows(self, port: int | None = None, *, info: bool = False) -> list[Row]:
        """The sockets of one local port, or all but those in TIME-WAIT."""

    def held(self, inodes: Container[int], port: int | None = None) -> list[Row]:
        """The sockets with these inodes and those on the local port, with their `info`."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the subject is expected to serve: rows without an owner count if they are here."""

    port: int
    address: str | None = None  # for those who share a network namespace with others

    def has(self, row: Row) -> bool:
        """Is the local end of this row here?"""
        return row.local[1] == self.port and self.address in (None, row.local[0])

    def hears(self, local: Address, v6only: bool | None) -> bool:
        """Would a listener with this local end get a connection to here?

        It is bound to this very address, or to the wildcard of its family, or to `::`, which takes
        IPv4 as well unless it is `v6only`.
        """
        host, port = local
        if port != self.port:
            return False
        if self.address is None or host in (self.address, "::" if ":" in self.address else ANY):
            return True
        return host == "::" and not v6only


@dataclass(slots=True)
class Remembered:
    """A socket as it was last seen in the table."""

    first_seen: float
    last_seen: float
    row: Row


@dataclass(frozen=True, slots=True)
class Rowless:
    """A TCP socket that descriptors keep open and no table has any more (or yet)."""

    inode: int
    owners: tuple[tuple[int, int], ...]
    was: Remembered | None


class Unlisted(NamedTuple):
    """The subject's socket descriptors that have no row."""

    rowless: list[Rowless]
    other: list[int]  # inodes: not TCP's (UNIX, UDP), or closed while they were looked at


class Memory:
    """What earlier views saw of sockets, by cookie."""

    def __init__(self) -> None:
        self._sockets: dict[int, Remembered] = {}

    def note(self, rows: Iterable[Row], now: float) -> None:
        """Keep these rows as the newest knowledge."""
        for row in rows:
            known = self._sockets.get(row.cookie)
            if known is None:
                self._sockets[row.cookie] = Remembered(now, now, row)
            else:
                known.last_seen, known.row = now, row

    def forget(self, rows: Iterable[Row], owned: Iterable[int]) -> None:
        """Drop the sockets that are neither in the whole table nor open in the subject."""
        cookies = {row.cookie for row in rows}
        inodes = set(owned)
        self._sockets = {
            cookie: known
            for cookie, known in self._sockets.items()
            if cookie in cookies or known.row.inode in inodes
        }

    def age_s(self, row: Row, now: float) -> float:
        """How long ago this socket was first seen."""
        known = self._sockets.get(row.cookie)
        return now - known.first_seen if known else 0.0

    def by_inode(self) -> dict[int, Remembered]:
        """The sockets that had an inode."""
        return {known.row.inode: known for known in self._sockets.values() if known.row.inode}

    def inodes_of(self, peers: Iterable[Address]) -> set[int]:
        """Inodes that connections with these peers were seen to have."""
        wanted = set(peers)
        return {inode for inode, known in self.by_inode().items() if known.row.peer in wanted}


class View:
    """One look at the subject; whatever is read stays as it was read."""

    def __init__(
        self,
        subject: SubjectProcesses,
        table: Table,
        memory: Memory,
        endpoints: Iterable[Endpoint] = (),
    ) -> None:
        """`endpoints` are all that were ever asked about."""
        self.subject = subject
        self.memory = memory
        self.endpoints = tuple(endpoints)
        self.t = time.monotonic()
        self._table = table
        self._by_port: dict[int | None, list[Row]] = {}
        self._with_info: set[int | None] = set()

    def rows(self, port: int | None = None, *, info: bool = False) -> list[Row]:
        """The rows of one local port, or of all. Rows read with `info` serve those without."""
        if port not in self._by_port or (info and port not in self._with_info):
            self._by_port[port] = self._table.rows(port, info=info)
            self.memory.note(self._by_port[port], self.t)
            if info:
                self._with_info.add(port)
        return self._by_port[port]

    @cached_property
    def processes(self) -> list[Stat]:
        """The subject's processes, zombies included."""
        return self.subject.look()

    @property
    def living(self) -> list[Stat]:
        """The subject's processes that are not zombies."""
        return [one for one in self.processes if one.state not in processes.DEAD]

    @property
    def main(self) -> Stat | None:
        """The subject's main process, if it lives."""
        return self.subject.main({one.pid: one for one in self.processes})

    @cached_property
    def descriptors(self) -> dict[int, Descriptors | PermissionError]:
        """By process: what its descriptors stand for, or why they could not be read."""
        found: dict[int, Descriptors | PermissionError] = {}
        for one in self.living:
            try:
                found[one.pid] = processes.descriptors(one.pid)
            except PermissionError as refusal:
                found[one.pid] = refusal
            except GONE:
                continue
        return found

    @property
    def unreadable(self) -> PermissionError | None:
        """Why the descriptors of some process are not known, if so."""
        refusals = (one for one in self.descriptors.values() if isinstance(one, PermissionError))
        return next(refusals, None)

    @cached_property
    def owners(self) -> Owners:
        """Who holds which socket open."""
        owners: Owners = {}
        for pid, opened in self.descriptors.items():
            if isinstance(opened, PermissionError):
                continue
            for descriptor, target in opened.items():
                if target.startswith("socket:["):
                    owners.setdefault(int(target[8:-1]), []).append((pid, descriptor))
        return owners

    def held(self, port: int | None = None) -> list[Row]:
        """The rows that the subject holds open, and all on the port, with their `info`.

        Read after the descriptors: a TCP socket that was open then has its row here, unless it has
        lost it or was closed in between.
        """
        rows = self._table.held(self.owners, port)
        self.memory.note(rows, self.t)
        return rows

    def unlisted(self, rows: Iterable[Row]) -> Unlisted:
        """What the subject's socket descriptors stand for that have no row among those `held`."""
        known = {row.inode for row in rows}
        remembered = self.memory.by_inode()
        rowless, other = [], []
        for inode in self.owners.keys() - known:
            holders = self.owners[inode]
            if _is_tcp(inode, *holders[0]):
                rowless.append(Rowless(inode, tuple(holders), remembered.get(inode)))
            else:
                other.append(inode)
        return Unlisted(rowless, other)


def _is_tcp(inode: int, pid: int, descriptor: int) -> bool:
    """Is it a TCP socket, and still the same one?"""
    try:
        if not processes.protocol(pid, descriptor).startswith("TCP"):
            return False
        return os.readlink(f"/proc/{pid}/fd/{descriptor}") == f"socket:[{inode}]"
    except GONE:
        return False
