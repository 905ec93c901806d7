"""Peers that are gone: nothing of them arrives any more, not even their own end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from iolab.harness.faults.registry import register
from iolab.harness.lab.clients import Group
from iolab.harness.lab.fault import Fault, Seen, Unproven
from iolab.harness.record.base import Address

if TYPE_CHECKING:
    from iolab.harness.lab.lab import Lab


@register
@dataclass
class Vanish(Fault):
    """All packets of the group's connections are lost from now on, their own reset first of all.

    The group's steps wait to go and then reset.
    After healing, the peers are hosts without memory: they answer what arrives with a reset.
    """

    name = "vanish"
    what = "clients are gone without a word: all their packets are lost, their own end included"
    shown_by = "the reset of each closed client socket is seen taken by its rule"
    needs = ("wire",)

    group: Group = field(repr=False)

    def inject(self, lab: Lab) -> Seen:
        self._rules: dict[Address, int] = {}
        for peer in self.group.peers():
            spec = {"port": lab.port, "peer": peer, "direction": "both", "action": "drop"}
            self._rules[peer] = lab.probe.request("rule-add", rule=spec)["rule"]
        self.group.go()
        for rule in self._rules.values():
            if not lab.probe.rule_took(rule):
                raise Unproven("vanish: the reset of some client was not seen to be lost")
        return {"gone": list(self._rules)}

    def heal(self, lab: Lab) -> Seen:
        taken = {}
        for (host, port), rule in self._rules.items():
            answer = lab.probe.request("rule-remove", rule=rule)
            taken[f"{host}:{port}"] = answer["taken"]
        return {"taken": taken}
