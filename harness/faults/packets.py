"""What the faults of the wire share: packets of chosen flows are taken, one by one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from iolab.harness.lab.fault import Fault, Seen, Unproven
from iolab.harness.record.base import Address

if TYPE_CHECKING:
    from iolab.harness.lab.lab import Lab


@dataclass
class PacketRule(Fault):
    """One rule of the wire; which packets it takes is said alike for all of them.

    `peer` is the client's address, port 0 for all its ports; `direction` is the subject's view.
    """

    action: ClassVar[str]
    shown_by = (
        "the rule, the queue and the engine are seen in place; what they took is counted twice"
    )
    needs = ("wire",)

    peer: Address
    direction: str = "both"
    flags: str | None = None
    payload: bool | None = None
    nth: int | None = None
    count: int | None = None
    probability: float = 1.0
    seed: int = 1

    def inject(self, lab: Lab) -> Seen:
        rule = {"port": lab.port, "action": self.action, **self.fields()}
        answer = lab.probe.request("rule-add", rule=rule)
        self.rule: int = answer["rule"]
        return {"rule": self.rule, "spec": rule}

    def heal(self, lab: Lab) -> Seen:
        answer = lab.probe.request("rule-remove", rule=self.rule)
        if not answer["taken"]:
            raise Unproven(f"{self.name}: no packet was taken ({answer['matched']} matched)")
        return {"matched": answer["matched"], "taken": answer["taken"]}
