"""The wire's ops: what the probe answers about packets and rules.

Requests are checked here; `gate.py` holds packets, `capture.py` watches them.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Generator
from typing import Any

from iolab.client.fields import COUNT, POSITIVE, SECONDS, TABLE, Fields, whole
from iolab.harness.beside.loop import Loop
from iolab.harness.beside.ops import Emit, Handler, Reply, Request, RequestError, Results
from iolab.harness.beside.wire import pcap
from iolab.harness.beside.wire.capture import Capture
from iolab.harness.beside.wire.gate import Gate
from iolab.harness.beside.wire.records import Record, merge
from iolab.harness.beside.wire.rules import PEER, parse_rule

_SLICE_S = 0.005  # of work on packets, before the loop looks at anything else
_LAST = 5_000  # rows of an answer, unless others are asked for
_MOST_ROWS = 20_000  # more would hold up the loop while they are written as JSON
_MOST_SAVED = 50_000  # records of a file: as base64 they fit into one line of the protocol


class Wire:
    """What the probe offers of the wire: docs/protocol.md, section Wire.

    `emit` sends events. Nothing is opened or changed before `register`.
    """

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._loop: Loop | None = None
        self._gate: Gate | None = None
        self._capture: Capture | None = None
        self._no_capture: str | None = "not started"
        self._told: set[str] = set()

    def ops(self) -> dict[str, Handler]:
        """The handlers by the names of their ops."""
        return {
            "rule-add": self._rule_add,
            "rule-remove": self._rule_remove,
            "rule-list": self._rule_list,
            "rule-wait": self._rule_wait,
            "packets": self._packets,
            "save": self._save,
        }

    def register(self, loop: Loop) -> None:
        """Begin to capture. To be called in the network namespace of the subject.

        Says by the event `wire` whether packets can be seen here; where they cannot, every answer
        about packets repeats the reason.
        """
        self._loop = loop
        try:
            self._capture = Capture(loop, self._fault)
            self._no_capture = None
        except OSError as error:
            self._no_capture = f"packets cannot be captured here: {error}"
        self._emit({"event": "wire", "no_capture": self._no_capture})

    def close(self) -> None:
        """Take away every rule and let go of everything. Raises TablesError if something stays."""
        gate, self._gate = self._gate, None
        capture, self._capture = self._capture, None
        if capture is not None:
            capture.close()
        if gate is not None:
            gate.close()

    # -- rules ------------------------------------------------------------------------------------

    def _rule_add(self, request: Request) -> Reply:
        fields = Fields(request)
        rule = parse_rule(fields.take("rule", TABLE))
        fields.end()
        return self._open_gate().add(rule)

    def _rule_remove(self, request: Request) -> Reply:
        fields = Fields(request)
        gate, number = self._gate_with(fields)
        fields.end()
        return gate.remove(number)

    def _rule_list(self, request: Request) -> Results | Reply:
        Fields(request).end()
        return {"rules": []} if self._gate is None else self._gate.list()

    def _rule_wait(self, request: Request) -> Reply:
        fields = Fields(request)
        gate, number = self._gate_with(fields)
        taken = fields.take("taken", POSITIVE, 1)
        within_s = fields.take("within_s", SECONDS)
        fields.end()
        return gate.wait(number, taken, within_s)

    def _gate_with(self, fields: Fields) -> tuple[Gate, int]:
        """The gate, and the number of a rule that it has."""
        number = fields.take("rule", COUNT)
        if self._gate is None or number not in self._gate.rules:
            there = f"one of {sorted(self._gate.rules) if self._gate else []}"
            raise fields.wrong("rule", f"must be {there}, not {number}", there)
        return self._gate, number

    def _open_gate(self) -> Gate:
        if self._gate is None:
            try:
                self._gate = Gate(self._running(), self._fault)
            except OSError as error:
                raise RequestError(f"packets cannot be held here: {error}") from error
        return self._gate

    # -- packets ----------------------------------------------------------------------------------

    def _packets(self, request: Request) -> Reply:
        fields = Fields(request)
        since, peer = fields.take("since", SECONDS, 0.0), fields.take("peer", PEER, None)
        last = fields.take("last", whole(1, _MOST_ROWS), _LAST)
        fields.end()

        def work() -> Generator[None, None, Results]:
            records, more = yield from self._newest(since, peer, last)
            return {"packets": [record.row() for record in records], "more": more, **self._gaps()}

        return self._in_slices(work())

    def _save(self, request: Request) -> Reply:
        fields = Fields(request)
        since, peer = fields.take("since", SECONDS, 0.0), fields.take("peer", PEER, None)
        fields.end()

        def work() -> Generator[None, None, Results]:
            records, more = yield from self._newest(since, peer, _MOST_SAVED)
            ahead = time.clock_gettime(time.CLOCK_REALTIME) - time.monotonic()
            file = bytearray()
            for block in pcap.blocks(records, ahead):
                file += block
                yield
            return {"pcap": base64.b64encode(file).decode(), "more": more, **self._gaps()}

        return self._in_slices(work())

    def _newest(
        self, since: float, peer: tuple[str, int] | None, most: int
    ) -> Generator[None, None, tuple[list[Record], bool]]:
        """The newest records that are asked for, and whether there are older ones."""

        captured: list[Record] = []
        for piece in self._capture.newest_first(since, peer) if self._capture else ():
            captured += piece
            yield
            if len(captured) > most:
                since = captured[-1].t
                break
        captured.reverse()
        decided = [
            one
            for one in (self._gate.records if self._gate else ())
            if one.t >= since and (not peer or one.is_of(peer))
        ]
        merged = merge(captured, decided)
        return merged[-most:], len(merged) > most

    def _in_slices(self, work: Generator[None, None, Results]) -> Reply:
        """Do the work once all packets seen until now can be read, without holding up the loop."""
        reply, loop = Reply(), self._running()

        def go() -> None:
            until = time.monotonic() + _SLICE_S
            try:
                while time.monotonic() < until:
                    next(work)
            except StopIteration as stop:
                reply(stop.value)
            else:
                loop.call_later(0, go)

        if self._capture is None:
            loop.call_later(0, go)
        else:
            self._capture.complete(go)
        return reply

    def _gaps(self) -> dict[str, Any]:
        """What the answer cannot contain: packets by their number, or the reason."""
        forgotten = self._gate.forgotten if self._gate else 0
        if self._capture is None:
            return {"lost": 0, "forgotten": forgotten, "no_capture": self._no_capture}
        forgotten += self._capture.forgotten
        return {"lost": self._capture.lost, "forgotten": forgotten, "no_capture": None}

    def _running(self) -> Loop:
        if self._loop is None:
            raise RuntimeError("the wire was not registered with a loop")
        return self._loop

    def _fault(self, reason: str) -> None:
        if reason not in self._told:
            self._told.add(reason)
            self._emit({"event": "wire-fault", "reason": reason})
