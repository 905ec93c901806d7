"""What `wait` can wait for: one class a condition, one registry.

A condition is data, `{"gone": {"port": 8001, "peers": [["10.91.0.4", 50112]]}}`. Its class reads
the fields (RequestError names the one that is wrong) and then looks through a fresh `View`
each time: does it hold, and, in a sentence for a person, what was seen. A condition may keep what
it saw between its own looks.
"""

from __future__ import annotations

from typing import Any

from iolab.harness.beside.fields import Fields
from iolab.harness.beside.ops import RequestError
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
