"""What `wait` can wait for: one class a condition, one registry.

A condition is data, `{"gone": {"port": 8001, "peers": [["10.91.0.4", 50112]]}}`. Its class reads
the fields (Invalid names the one that is wrong) and then looks through a fresh `View`
each time: does it hold, and, in a sentence for a person, what was seen. A condition may keep what
it saw between its own looks.
"""

from __future__ import annotations

from typing import Any

from iolab.client.fields import Fields, Invalid
from iolab.harness.beside.probe.conditions.base import Condition, Seen, maybe_endpoint
from iolab.harness.beside.probe.conditions.connections import (
    Accepted,
    AcceptQueue,
    Connections,
    Counter,
    Gone,
    Listening,
    Only,
    Queue,
    Unlisted,
)
from iolab.harness.beside.probe.conditions.processes import (
    Descriptors,
    Exited,
    FullOutput,
    Idle,
    MainExited,
    Stopped,
)

__all__ = ["CONDITIONS", "Condition", "Seen", "maybe_endpoint", "parse"]

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
    "full_output": FullOutput,
}


_ONE = 'a table with one name, as {"exited": {}}'


def parse(data: Any) -> Condition:
    """The condition that this value of the field `condition` describes."""
    if not isinstance(data, dict) or len(data) != 1:
        raise Invalid(f"must be {_ONE}", field="condition", allowed=_ONE)
    name, inner = next(iter(data.items()))
    if name not in CONDITIONS:
        known = ", ".join(CONDITIONS)
        raise Invalid(f"must be one of {known}, not {name!r}", field="condition", allowed=known)
    if name == "listening" and not isinstance(inner, dict):
        inner = {"port": inner}  # the short form, `{"listening": 8001}`
    reader = Fields(inner, at=f"condition.{name}")
    condition = CONDITIONS[name](reader)
    reader.end()
    return condition
