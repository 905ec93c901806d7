"""The wire's ops: what the probe answers about packets and rules.

Requests are checked here; `gate.py` holds packets, `capture.py` watches them.
"""

from __future__ import annotations

import base64
import itertools
import time
from collections.abc import Callable
from typing import Any

from harness.probe.loop import Loop
from harness.probe.ops import Emit, Handler, Reply, Request, RequestError, Results
from harness.wire import pcap
from harness.wire.capture import Capture
from harness.wire.gate import Gate
from harness.wire.records import Record, merge
from harness.wire.rules import RuleError, parse_rule, read_peer

_AT_ONCE = 1000  # packets taken apart before the loop looks at anything else: some milliseconds
_LAST = 10_000  # rows of an answer, unless more are asked for
_MOST_ROWS = 100_000  # what fits into one line of the protocol
_MOST_BYTES = 11 << 20  # of a file, likewise


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
        try:
            rule = parse_rule(request.get("rule"))
        except RuleError as error:
            raise RequestError(str(error)) from None
        return self._open_gate().add(rule)

    def _rule_remove(self, request: Request) -> Reply:
        return self._gate_with(request).remove(request["rule"])

    def _rule_list(self, _: Request) -> Results | Reply:
        return {"rules": []} if self._gate is None else self._gate.list()

    def _rule_wait(self, request: Request) -> Reply:
        taken = _whole(request, "taken", 1, 1 << 53)
        within_s = _seconds(request, "within_s", None)
        return self._gate_with(request).wait(request["rule"], taken, within_s)

    def _gate_with(self, request: Request) -> Gate:
        number = request.get("rule")
        if self._gate is None or number not in self._gate.rules:
            there = sorted(self._gate.rules) if self._gate else []
            raise RequestError(f"rule: there is no rule {number!r}; there are {there}")
        return self._gate

    def _open_gate(self) -> Gate:
        if self._gate is None:
            try:
                self._gate = Gate(self._running(), self._fault)
            except OSError as error:
                raise RequestError(f"packets cannot be held here: {error}") from error
        return self._gate

    # -- packets ----------------------------------------------------------------------------------

    def _packets(self, request: Request) -> Reply:
        last = _whole(request, "last", _LAST, _MOST_ROWS)
        reply = Reply()

        def answer(records: list[Record]) -> None:
            rows = [record.row() for record in records[-last:]]
            reply({"packets": rows, "omitted": len(records) - len(rows), **self._losses()})

        self._gather(request, answer)
        return reply

    def _save(self, request: Request) -> Reply:
        reply = Reply()

        def answer(records: list[Record]) -> None:
            ahead = time.clock_gettime(time.CLOCK_REALTIME) - time.monotonic()
            data, omitted = pcap.file_of(records, ahead, _MOST_BYTES)
            text = base64.b64encode(data).decode()
            reply({"pcap": text, "omitted": omitted, **self._losses()})

        self._gather(request, answer)
        return reply

    def _gather(self, request: Request, then: Callable[[list[Record]], None]) -> None:
        """Call `then` with all records that the request asks for, seen until now."""
        since = _seconds(request, "since", 0.0)
        peer = _peer(request)
        loop, capture = self._running(), self._capture
        captured: list[Record] = []

        def wanted(record: Record) -> bool:
            return record.t >= since and (peer is None or record.is_of(peer))

        def finish() -> None:
            decided = self._gate.records if self._gate else []
            then(merge(captured, [record for record in decided if wanted(record)]))

        def begin(source: Capture) -> None:
            packets = source.packets(since)

            def some() -> None:
                piece = list(itertools.islice(packets, _AT_ONCE))
                captured.extend(record for record in piece if wanted(record))
                if piece:
                    loop.call_later(0, some)
                else:
                    finish()

            some()

        if capture is None:
            finish()
        else:
            capture.complete(lambda: begin(capture))

    def _losses(self) -> dict[str, Any]:
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


def _whole(request: Request, name: str, default: int, most: int) -> int:
    value = request.get(name, default)
    if type(value) is not int or not 1 <= value <= most:
        raise RequestError(f"{name}: a whole number from 1 to {most}, not {value!r}")
    return value


def _seconds(request: Request, name: str, default: float | None) -> float:
    value = request.get(name, default)
    if type(value) not in (int, float) or value < 0:
        raise RequestError(f"{name}: seconds, 0 or more, not {value!r}")
    return float(value)


def _peer(request: Request) -> tuple[str, int] | None:
    value = request.get("peer")
    try:
        return None if value is None else read_peer(value)
    except (ValueError, TypeError):
        raise RequestError(f"peer: [address, port or 0] or null, not {value!r}") from None
