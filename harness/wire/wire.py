"""The wire's ops: what the probe answers about packets and rules.

Requests are checked here; `gate.py` holds packets, `capture.py` watches them.
"""

from __future__ import annotations

from harness.probe.loop import Loop
from harness.probe.ops import Emit, Handler, Reply, Request, RequestError, Results
from harness.wire.gate import Gate
from harness.wire.rules import RuleError, parse_rule


class Wire:
    """What the probe offers of the wire. Docs: docs/protocol.md, section Wire.

    `emit` sends events. Nothing is opened or changed before `register`.
    """

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._loop: Loop | None = None
        self._gate: Gate | None = None
        self._told: set[str] = set()

    def ops(self) -> dict[str, Handler]:
        """The handlers by the names of their ops."""
        return {
            "rule-add": self._rule_add,
            "rule-remove": self._rule_remove,
            "rule-list": self._rule_list,
            "rule-wait": self._rule_wait,
        }

    def register(self, loop: Loop) -> None:
        """Begin to watch. To be called in the network namespace of the subject."""
        self._loop = loop

    def close(self) -> None:
        """Take away every rule and let go of everything. Raises TablesError if something stays."""
        gate, self._gate = self._gate, None
        if gate is not None:
            gate.close()

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
        taken, within_s = request.get("taken", 1), request.get("within_s")
        if type(taken) is not int or taken < 1:
            raise RequestError(f"taken: a whole number from 1, not {taken!r}")
        if not isinstance(within_s, int | float) or within_s < 0:
            raise RequestError(f"within_s: seconds, 0 or more, not {within_s!r}")
        return self._gate_with(request).wait(request["rule"], taken, within_s)

    def _gate_with(self, request: Request) -> Gate:
        number = request.get("rule")
        if self._gate is None or number not in self._gate.rules:
            there = sorted(self._gate.rules) if self._gate else []
            raise RequestError(f"rule: there is no rule {number!r}; there are {there}")
        return self._gate

    def _open_gate(self) -> Gate:
        if self._loop is None:
            raise RuntimeError("the wire was not registered with a loop")
        if self._gate is None:
            try:
                self._gate = Gate(self._loop, self._fault)
            except OSError as error:
                raise RequestError(f"the wire cannot hold packets here: {error}") from error
        return self._gate

    def _fault(self, reason: str) -> None:
        if reason not in self._told:
            self._told.add(reason)
            self._emit({"event": "wire-fault", "reason": reason})
