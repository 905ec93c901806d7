"""Conditions on sockets: rows of the table, and the descriptors on them."""

from __future__ import annotations

from iolab.client import fields
from iolab.client.fields import Fields, Invalid
from iolab.harness.beside.probe import counters
from iolab.harness.beside.probe.conditions.base import (
    PEERS,
    Condition,
    Seen,
    between,
    brief,
    endpoint,
    maybe_endpoint,
    name,
)
from iolab.harness.beside.probe.sockets import STATES, Row
from iolab.harness.beside.probe.view import Endpoint, View


def _rows(view: View, at: Endpoint | None, *, info: bool = False) -> list[Row]:
    """The rows at the endpoint; without one, at those that requests have named, or else all.

    In a shared namespace the peer alone does not name a connection: its port may also be in use
    towards somebody else's server.
    """
    places = view.endpoints if at is None else (at,)
    if not places:
        return view.rows(info=info)
    found = (row for at in places for row in view.rows(at.port, info=info) if at.has(row))
    return list({row.cookie: row for row in found}.values())


def _listeners(view: View, at: Endpoint) -> list[Row]:
    """Those that would get a connection to the endpoint."""
    return [
        row
        for row in view.rows(at.port)
        if row.state == "LISTEN" and at.hears(row.local, row.v6only)
    ]


class Listening(Condition):
    """A process of the subject listens there."""

    def __init__(self, data: Fields) -> None:
        self.endpoint = self._at = endpoint(data)

    def look(self, view: View) -> Seen:
        port = self._at.port
        listeners = _listeners(view, self._at)
        if not listeners:
            main = "its main process runs" if view.main else "it has no main process running"
            return Seen(False, f"nobody listens on port {port}; {main}")
        if any(row.inode in view.owners for row in listeners):
            return Seen(True, f"it listens on {name(listeners[0].local)}")
        if view.unreadable:
            raise view.unreadable
        return Seen(False, f"somebody listens on port {port}, but no process of the subject")


class Gone(Condition):
    """The subject has let go of these connections.

    No row with such a peer is open in a process or waits in the accept queue, and no descriptor is
    left on these inodes or on those that the connections were seen to have. What the kernel alone
    still finishes (FIN-WAIT, LAST-ACK, TIME-WAIT without an inode) is no longer the subject's.
    """

    def __init__(self, data: Fields) -> None:
        self.endpoint = maybe_endpoint(data)
        self._peers = data.take("peers", PEERS, frozenset())
        self._inodes: frozenset[int] = data.take("inodes", fields.COUNTS, frozenset())
        if not self._peers and not self._inodes:
            raise data.wrong("peers", "names nobody, and neither does `inodes`")

    def look(self, view: View) -> Seen:
        held = [
            row
            for row in _rows(view, self.endpoint)
            if row.peer in self._peers and (row.inode or row.state in ("ESTABLISHED", "CLOSE-WAIT"))
        ]
        if held:
            seen = brief([f"{name(row.peer)} in {row.state}" for row in held])
            return Seen(False, f"{len(held)} connections are still there: {seen}")
        inodes = self._inodes | view.memory.inodes_of(self._peers)
        kept = [
            f"descriptor {descriptor} of process {pid} on socket:[{inode}]"
            for inode in sorted(inodes)
            for pid, descriptor in view.owners.get(inode, ())
        ]
        if kept:
            return Seen(False, f"{len(kept)} descriptors are still open: {brief(kept)}")
        if view.unreadable:
            raise view.unreadable
        return Seen(True, "no row and no descriptor of them is left")


class Only(Condition):
    """The subject holds no connection but those with these peers.

    No row with another peer is open in a process or waits in the accept queue, and no descriptor is
    left on a dead TCP socket, but for the inodes that were there before.
    """

    def __init__(self, data: Fields) -> None:
        self.endpoint = self._at = endpoint(data)
        self._peers = data.take("peers", PEERS)
        self._inodes = data.take("inodes", fields.COUNTS, frozenset())

    def look(self, view: View) -> Seen:
        held = [
            row
            for row in _rows(view, self._at)
            if row.state not in ("LISTEN", "SYN-RECEIVED")
            and row.peer not in self._peers
            and (row.inode or row.state in ("ESTABLISHED", "CLOSE-WAIT"))
        ]
        if held:
            seen = brief([f"{name(row.peer)} in {row.state}" for row in held])
            return Seen(False, f"{len(held)} connections are there beside the bystanders': {seen}")
        dead = [one for one in view.unlisted(view.held()).rowless if one.inode not in self._inodes]
        if dead:
            seen = brief([f"socket:[{one.inode}]" for one in dead])
            return Seen(False, f"{len(dead)} dead sockets are still open: {seen}")
        if view.unreadable:
            raise view.unreadable
        return Seen(True, "no connection is there but the bystanders'")


class Unlisted(Condition):
    """The connections with these peers have left the kernel's tables, as a reset socket does."""

    def __init__(self, data: Fields) -> None:
        self.endpoint = self._at = endpoint(data)
        self._peers = data.take("peers", PEERS)

    def look(self, view: View) -> Seen:
        listed = [name(row.peer) for row in _rows(view, self._at) if row.peer in self._peers]
        return Seen(not listed, f"still listed: {brief(listed) or 'none'}")


class Connections(Condition):
    """So many connections of the port are in these states."""

    _CONNECTED = frozenset(STATES.values()) - {"LISTEN", "SYN-RECEIVED", "TIME-WAIT", "CLOSED"}

    def __init__(self, data: Fields) -> None:
        self.endpoint = self._at = endpoint(data)
        every = fields.some_of(*sorted(set(STATES.values())))
        self._states = data.take("states", every, self._CONNECTED)
        self._least = data.take("at_least", fields.COUNT, 0)
        self._most = data.take("at_most", fields.COUNT, None)

    def look(self, view: View) -> Seen:
        counts: dict[str, int] = {}
        for row in _rows(view, self._at):
            counts[row.state] = counts.get(row.state, 0) + 1
        number = sum(count for state, count in counts.items() if state in self._states)
        holds = between(number, self._least, self._most)
        by_state = ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))
        return Seen(holds, f"{number} connections in the states asked for (rows: {by_state or 0})")


class Queue(Condition):
    """Each connection's row: its queues and counts are within bounds, its state is one of these.

    `read` is what the subject has taken from its socket, `written` what the kernel has taken from
    the subject. `owed` counts, of whole units of so many bytes that were read, what was not written
    in turn: of a subject that gives as much as it takes, unit by unit, this is still its own.
    """

    COLUMNS = (
        *("recv_q", "send_q", "not_sent", "unacked", "retransmits", "bytes_received"),
        *("read", "written", "owed"),
    )

    def __init__(self, data: Fields) -> None:
        self.endpoint = maybe_endpoint(data)
        self._peers = data.take("peers", PEERS)
        self._least = self._bounds(data, "at_least")
        self._most = self._bounds(data, "at_most")
        self._unit = data.take("unit", fields.whole(1), 1)
        every = sorted(set(STATES.values()))
        self._states = data.take("states", fields.some_of(*every), frozenset(every))
        if not self._least and not self._most:
            raise Invalid(
                "needs a bound, COLUMN_at_least or COLUMN_at_most with COLUMN one of "
                + ", ".join(self.COLUMNS),
                field="condition.queue",
            )

    def _bounds(self, data: Fields, kind: str) -> dict[str, int]:
        bounds = {name: data.take(f"{name}_{kind}", fields.COUNT, None) for name in self.COLUMNS}
        return {name: bound for name, bound in bounds.items() if bound is not None}

    def look(self, view: View) -> Seen:
        rows = {row.peer: row for row in _rows(view, self.endpoint, info=True)}
        absent = [name(peer) for peer in sorted(self._peers) if peer not in rows]
        if absent:
            return Seen(False, f"there is no connection with {brief(absent)}")
        seen = [self._look_at(rows[peer]) for peer in sorted(self._peers)]
        short = [one for one in seen if not one.holds]
        return Seen(not short, brief([one.words for one in short or seen]))

    def _look_at(self, row: Row) -> Seen:
        values = {name: self._value(row, name) for name in self.COLUMNS}
        holds = row.state in self._states and all(
            between(values[name], self._least.get(name, 0), self._most.get(name))
            for name in self._least | self._most
        )
        asked = [name for name in self.COLUMNS if name in self._least or name in self._most]
        seen = ", ".join(f"{name} {values[name]}" for name in asked)
        return Seen(holds, f"{name(row.peer)} is {row.state} with {seen}")

    def _value(self, row: Row, name: str) -> int | None:
        """None where the table does not tell: `/proc/net/tcp` has no `TCP_INFO`."""
        if name in ("read", "written", "owed"):
            if row.info is None or row.send_q is None:
                return None
            # What has come and was not read has the FIN in it, in both counts.
            read = row.info.bytes_received - row.recv_q
            written = row.info.bytes_acked + row.send_q
            owed = max(0, read // self._unit * self._unit - written)
            return {"read": read, "written": written, "owed": owed}[name]
        value: int | None = getattr(row if hasattr(row, name) else row.info, name, None)
        return value


class AcceptQueue(Condition):
    """So many connections wait to be accepted."""

    def __init__(self, data: Fields) -> None:
        self.endpoint = self._at = endpoint(data)
        self._least = data.take("at_least", fields.COUNT, 0)
        self._most = data.take("at_most", fields.COUNT, None)

    def look(self, view: View) -> Seen:
        listeners = _listeners(view, self._at)
        if not listeners:
            return Seen(False, f"nobody listens on port {self._at.port}")
        length = sum(row.recv_q for row in listeners)
        holds = between(length, self._least, self._most)
        return Seen(holds, f"{length} connections wait in the accept queue")


class Accepted(Condition):
    """The connections with these peers have been accepted: their rows have an inode."""

    def __init__(self, data: Fields) -> None:
        self.endpoint = maybe_endpoint(data)
        self._peers = data.take("peers", PEERS)

    def look(self, view: View) -> Seen:
        inodes = {row.peer: row.inode for row in _rows(view, self.endpoint)}
        absent = [name(peer) for peer in sorted(self._peers) if peer not in inodes]
        if absent:
            return Seen(False, f"there is no connection with {brief(absent)}")
        waiting = [name(peer) for peer in sorted(self._peers) if not inodes[peer]]
        if waiting:
            return Seen(False, f"not accepted yet: {brief(waiting)}")
        return Seen(True, "all are accepted")


class Counter(Condition):
    """A TCP counter of the network namespace is above a value."""

    def __init__(self, data: Fields) -> None:
        self._name = data.take("name", fields.one_of(*counters.counters()))
        self._above = data.take("above", fields.COUNT)

    def look(self, view: View) -> Seen:
        value = counters.counters()[self._name]
        return Seen(value > self._above, f"{self._name} is {value}")
