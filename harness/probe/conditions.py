"""What `wait` can wait for: one class a condition, one registry.

A condition is data, `{"gone": {"port": 8001, "peers": [["10.91.0.4", 50112]]}}`. Its class reads
the fields (RequestError names the one that is wrong) and then looks through a fresh `View`
each time: does it hold, and, in a sentence for a person, what was seen. A condition may keep what
it saw between its own looks.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from typing import Any, NamedTuple

from harness.probe import counters, fields, processes
from harness.probe.fields import Address, Fields
from harness.probe.ops import RequestError
from harness.probe.sockets import STATES, Row
from harness.probe.view import Endpoint, View


class Seen(NamedTuple):
    """What one look saw."""

    holds: bool
    words: str


class Condition(ABC):
    """Built from its fields; `endpoint` is where it looks, if it names a port."""

    endpoint: Endpoint | None = None

    @abstractmethod
    def __init__(self, data: Fields) -> None:
        """Take the fields. RequestError for one that is missing or wrong."""

    @abstractmethod
    def look(self, view: View) -> Seen:
        """Does it hold now? PermissionError when what it must see may not be read."""


def endpoint(data: Fields) -> Endpoint:
    """The fields `port` and, where the network namespace is shared with others, `address`."""
    return Endpoint(data.take("port", fields.port), data.take("address", fields.text, None))


def maybe_endpoint(data: Fields) -> Endpoint | None:
    """The same two fields, for those who can do without."""
    port = data.take("port", fields.port, None)
    address = data.take("address", fields.text, None)
    return None if port is None else Endpoint(port, address)


def _rows(view: View, at: Endpoint | None) -> list[Row]:
    if at is None:
        return view.rows()
    return [row for row in view.rows(at.port) if at.has(row)]


def _name(address: Address) -> str:
    host = f"[{address[0]}]" if ":" in address[0] else address[0]
    return f"{host}:{address[1]}"


def _brief(items: list[str]) -> str:
    shown = ", ".join(items[:5])
    return shown if len(items) <= 5 else f"{shown} and {len(items) - 5} more"


def _between(value: int | None, least: int, most: int | None) -> bool:
    return value is not None and least <= value and (most is None or value <= most)


class Listening(Condition):
    """A process of the subject listens on the port."""

    def __init__(self, data: Fields) -> None:
        self._port = data.take("port", fields.port)

    def look(self, view: View) -> Seen:
        listeners = [row for row in view.rows(self._port) if row.state == "LISTEN"]
        if not listeners:
            main = "its main process runs" if view.main else "it has no main process running"
            return Seen(False, f"nobody listens on port {self._port}; {main}")
        if any(row.inode in view.owners for row in listeners):
            return Seen(True, f"it listens on {_name(listeners[0].local)}")
        if view.unreadable:
            raise view.unreadable
        return Seen(False, f"somebody listens on port {self._port}, but no process of the subject")


class Gone(Condition):
    """The subject has let go of these connections.

    No row with such a peer is open in a process or waits in the accept queue, and no descriptor is
    left on these inodes or on those that the connections were seen to have. What the kernel alone
    still finishes (FIN-WAIT, LAST-ACK, TIME-WAIT without an inode) is no longer the subject's.
    """

    def __init__(self, data: Fields) -> None:
        self.endpoint = maybe_endpoint(data)
        self._peers = data.take("peers", fields.addresses, frozenset())
        self._inodes = set(data.take("inodes", fields.numbers, frozenset()))
        if not self._peers and not self._inodes:
            raise RequestError("field condition.gone.peers: names nobody, and neither does inodes")

    def look(self, view: View) -> Seen:
        held = [
            row
            for row in _rows(view, self.endpoint)
            if row.peer in self._peers and (row.inode or row.state in ("ESTABLISHED", "CLOSE-WAIT"))
        ]
        if held:
            seen = _brief([f"{_name(row.peer)} in {row.state}" for row in held])
            return Seen(False, f"{len(held)} connections are still there: {seen}")
        inodes = self._inodes | view.memory.inodes_of(self._peers)
        kept = [
            f"descriptor {descriptor} of process {pid} on socket:[{inode}]"
            for inode in sorted(inodes)
            for pid, descriptor in view.owners.get(inode, ())
        ]
        if kept:
            return Seen(False, f"{len(kept)} descriptors are still open: {_brief(kept)}")
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
        self._peers = data.take("peers", fields.addresses)
        self._inodes = data.take("inodes", fields.numbers, frozenset())

    def look(self, view: View) -> Seen:
        held = [
            row
            for row in _rows(view, self._at)
            if row.state not in ("LISTEN", "SYN-RECEIVED")
            and row.peer not in self._peers
            and (row.inode or row.state in ("ESTABLISHED", "CLOSE-WAIT"))
        ]
        if held:
            seen = _brief([f"{_name(row.peer)} in {row.state}" for row in held])
            return Seen(False, f"{len(held)} connections are there beside the bystanders': {seen}")
        dead = [one for one in view.rowless if one.inode not in self._inodes]
        if dead:
            seen = _brief([f"socket:[{one.inode}]" for one in dead])
            return Seen(False, f"{len(dead)} dead sockets are still open: {seen}")
        if view.unreadable:
            raise view.unreadable
        return Seen(True, "no connection is there but the bystanders'")


class Unlisted(Condition):
    """The connections with these peers have left the kernel's tables, as a reset socket does."""

    def __init__(self, data: Fields) -> None:
        self.endpoint = self._at = endpoint(data)
        self._peers = data.take("peers", fields.addresses)

    def look(self, view: View) -> Seen:
        listed = [_name(row.peer) for row in _rows(view, self._at) if row.peer in self._peers]
        return Seen(not listed, f"still listed: {_brief(listed) or 'none'}")


class Connections(Condition):
    """So many connections of the port are in these states."""

    _CONNECTED = frozenset(STATES.values()) - {"LISTEN", "SYN-RECEIVED", "TIME-WAIT", "CLOSED"}

    def __init__(self, data: Fields) -> None:
        self.endpoint = self._at = endpoint(data)
        every = fields.some_of(*sorted(set(STATES.values())))
        self._states = data.take("states", every, self._CONNECTED)
        self._least = data.take("at_least", fields.whole, 0)
        self._most = data.take("at_most", fields.whole, None)

    def look(self, view: View) -> Seen:
        counts: dict[str, int] = {}
        for row in _rows(view, self._at):
            counts[row.state] = counts.get(row.state, 0) + 1
        number = sum(count for state, count in counts.items() if state in self._states)
        holds = _between(number, self._least, self._most)
        by_state = ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))
        return Seen(holds, f"{number} connections in the states asked for (rows: {by_state or 0})")


class Queue(Condition):
    """One connection's row: its queues and counts are within bounds, its state is one of these."""

    COLUMNS = ("recv_q", "send_q", "not_sent", "unacked", "retransmits", "bytes_received")

    def __init__(self, data: Fields) -> None:
        self.endpoint = maybe_endpoint(data)
        self._peer = data.take("peer", fields.address)
        self._least = self._bounds(data, "at_least")
        self._most = self._bounds(data, "at_most")
        every = sorted(set(STATES.values()))
        self._states = data.take("states", fields.some_of(*every), frozenset(every))
        if not self._least and not self._most:
            raise RequestError(
                "field condition.queue: needs a bound, COLUMN_at_least or COLUMN_at_most with "
                "COLUMN one of " + ", ".join(self.COLUMNS)
            )

    def _bounds(self, data: Fields, kind: str) -> dict[str, int]:
        bounds = {name: data.take(f"{name}_{kind}", fields.whole, None) for name in self.COLUMNS}
        return {name: bound for name, bound in bounds.items() if bound is not None}

    def look(self, view: View) -> Seen:
        port = self.endpoint.port if self.endpoint else None
        view.rows(port, info=True)
        row = next((row for row in _rows(view, self.endpoint) if row.peer == self._peer), None)
        if row is None:
            return Seen(False, f"there is no connection with {_name(self._peer)}")
        values = {name: self._value(row, name) for name in self.COLUMNS}
        holds = row.state in self._states and all(
            _between(values[name], self._least.get(name, 0), self._most.get(name))
            for name in self._least | self._most
        )
        asked = [name for name in self.COLUMNS if name in self._least or name in self._most]
        seen = ", ".join(f"{name} {values[name]}" for name in asked)
        return Seen(holds, f"{_name(self._peer)} is {row.state} with {seen}")

    @staticmethod
    def _value(row: Row, name: str) -> int | None:
        """None where the table does not tell: `/proc/net/tcp` has no `TCP_INFO`."""
        value: int | None = getattr(row if hasattr(row, name) else row.info, name, None)
        return value


class AcceptQueue(Condition):
    """So many connections wait to be accepted."""

    def __init__(self, data: Fields) -> None:
        self.endpoint = self._at = endpoint(data)
        self._least = data.take("at_least", fields.whole, 0)
        self._most = data.take("at_most", fields.whole, None)

    def look(self, view: View) -> Seen:
        listeners = [
            row
            for row in view.rows(self._at.port)
            if row.state == "LISTEN" and (self._at.has(row) or row.local[0] in ("0.0.0.0", "::"))
        ]
        if not listeners:
            return Seen(False, f"nobody listens on port {self._at.port}")
        length = sum(row.recv_q for row in listeners)
        holds = _between(length, self._least, self._most)
        return Seen(holds, f"{length} connections wait in the accept queue")


class Accepted(Condition):
    """The connections with these peers have been accepted: their rows have an inode."""

    def __init__(self, data: Fields) -> None:
        self.endpoint = maybe_endpoint(data)
        self._peers = data.take("peers", fields.addresses)

    def look(self, view: View) -> Seen:
        inodes = {row.peer: row.inode for row in _rows(view, self.endpoint)}
        absent = [_name(peer) for peer in sorted(self._peers) if peer not in inodes]
        if absent:
            return Seen(False, f"there is no connection with {_brief(absent)}")
        waiting = [_name(peer) for peer in sorted(self._peers) if not inodes[peer]]
        if waiting:
            return Seen(False, f"not accepted yet: {_brief(waiting)}")
        return Seen(True, "all are accepted")


class Exited(Condition):
    """No process of the subject is left; zombies that nobody has reaped do count."""

    def __init__(self, data: Fields) -> None: ...

    def look(self, view: View) -> Seen:
        if not view.subject.main_seen:
            return Seen(False, "no process of the subject has been seen yet")
        left = [f"{one.pid} ({one.name}, {one.state})" for one in view.processes]
        return Seen(not left, f"processes left: {_brief(left) or 'none'}")


class MainExited(Condition):
    """The main process was there and has ended; its children may go on."""

    def __init__(self, data: Fields) -> None: ...

    def look(self, view: View) -> Seen:
        main = view.main
        if not view.subject.main_seen:
            return Seen(False, "no main process has been seen yet")
        return Seen(main is None, f"main process: {main.pid if main else 'ended'}")


class Stopped(Condition):
    """Every thread of every process of the subject is stopped."""

    def __init__(self, data: Fields) -> None: ...

    def look(self, view: View) -> Seen:
        moving = {}
        for one in view.living:
            try:
                states = processes.states(one.pid)
            except processes.GONE:
                continue
            if set(states) - set(processes.STOPPED):
                moving[one.pid] = states
        if not view.living:
            return Seen(False, "there is no process to be stopped")
        seen = _brief([f"{pid} ({states})" for pid, states in moving.items()])
        return Seen(not moving, f"not stopped: {seen or 'none'}")


class Counter(Condition):
    """A TCP counter of the network namespace is above a value."""

    def __init__(self, data: Fields) -> None:
        self._name = data.take("name", fields.one_of(*counters.counters()))
        self._above = data.take("above", fields.whole)

    def look(self, view: View) -> Seen:
        value = counters.counters()[self._name]
        return Seen(value > self._above, f"{self._name} is {value}")


class Descriptors(Condition):
    """The subject holds at most so many descriptors, all processes together."""

    def __init__(self, data: Fields) -> None:
        self._most = data.take("at_most", fields.whole)

    def look(self, view: View) -> Seen:
        if view.unreadable:
            raise view.unreadable
        number = sum(
            len(opened)
            for opened in view.descriptors.values()
            if not isinstance(opened, PermissionError)
        )
        return Seen(number <= self._most, f"{number} descriptors are open")


class Idle(Condition):
    """For so long, the subject used at most such a share of one CPU."""

    def __init__(self, data: Fields) -> None:
        self._for_s = data.take("for_s", fields.seconds)
        self._most = data.take("cpu_share_at_most", fields.share)
        self._used_s = 0.0
        self._last: dict[int, float] = {}
        self._looks: deque[tuple[float, float]] = deque()  # time, CPU seconds used up to then

    def look(self, view: View) -> Seen:
        now: dict[int, float] = {}
        for one in view.living:
            try:
                now[one.pid] = processes.cpu_s(one.pid)
            except ProcessLookupError:
                continue
        if self._looks:
            self._used_s += sum(used - self._last.get(pid, 0.0) for pid, used in now.items())
        self._last = now
        self._looks.append((view.t, self._used_s))
        # Keep one look that is old enough to span the time asked for.
        while len(self._looks) > 1 and self._looks[1][0] <= view.t - self._for_s:
            self._looks.popleft()
        since, used = self._looks[0]
        span_s = view.t - since
        if span_s < self._for_s or not span_s:
            return Seen(False, f"watched for {span_s:.3f} s so far")
        share = (self._used_s - used) / span_s
        return Seen(share <= self._most, f"{share:.4f} of a CPU over the last {span_s:.3f} s")


CONDITIONS: dict[str, type[Condition]] = {
    "listening": Listening,
    "gone": Gone,
    "only": Only,
    "unlisted": Unlisted,
    "connections": Connections,
    "queue": Queue,
    "accept_queue": AcceptQueue,
    "accepted": Accepted,
    "exited": Exited,
    "main_exited": MainExited,
    "stopped": Stopped,
    "counter": Counter,
    "descriptors": Descriptors,
    "idle": Idle,
}


def parse(data: Any) -> Condition:
    """The condition that this value of the field `condition` describes."""
    if not isinstance(data, dict) or len(data) != 1:
        raise RequestError('field condition: must be an object with one name, as {"exited": {}}')
    name, inner = next(iter(data.items()))
    if name not in CONDITIONS:
        known = ", ".join(CONDITIONS)
        raise RequestError(f"field condition: must be one of {known}, not {name!r}")
    if name == "listening" and not isinstance(inner, dict):
        inner = {"port": inner}  # the short form, `{"listening": 8001}`
    if not isinstance(inner, dict):
        raise RequestError(f"field condition.{name}: must be an object, not {inner!r}")
    reader = Fields(inner, f"condition.{name}.")
    condition = CONDITIONS[name](reader)
    reader.end()
    return condition
