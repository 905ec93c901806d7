"""What puts a verdict in doubt: the harness judges itself too."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest

from iolab.harness.judge.reply import LATE_AFTER_S, kept_idle
from iolab.harness.judge.scene import Record, Scene

# An agent or probe whose own loop was late by more than this share of a bystander's bound cannot
# say that the subject was late.
LATENESS_ALLOWED_S = LATE_AFTER_S / 5

# The fault by which a client is late because the lab wants it so.
FREEZE = "freeze-client"


@dataclass(frozen=True)
class Doubt:
    """A reason for UNKNOWN.

    `unproven`: the circumstance or fault was not shown, so neither a pass nor a failure that rests
    on it counts. Otherwise the harness was too slow, which spoils only failures that rest on a
    measured time: lateness of the harness never makes a subject look quicker than it was.
    """

    reason: str
    unproven: bool


def doubts(scene: Scene) -> list[Doubt]:
    """All reasons, the gravest first."""
    return [*_unproven(scene), *_kept_idle(scene), *_slow(scene)]


def _unproven(scene: Scene) -> Iterator[Doubt]:
    for proof in scene.of_kind("proof"):
        if not proof["held"]:
            yield Doubt(f"the circumstance was not seen: {proof['claim']}", unproven=True)
    for record in scene.of_kind("unproven"):
        yield Doubt(f"the fault was not seen: {record['reason']}", unproven=True)
    for event in scene.events("wire-fault"):
        yield Doubt(f"the wire cannot be trusted: {event['reason']}", unproven=True)
    for record in scene.of_kind("aborted"):
        yield Doubt(f"the scenario could not go on: {record['error']}", unproven=True)


def _kept_idle(scene: Scene) -> Iterator[Doubt]:
    """Clients that were to be served, and had to wait until they could be taken for idle.

    What they were to show was not shown, so this is no mere slowness.
    """
    promise = scene.header["promises"].get("idle_timeout_s")
    for name, group in scene.groups.items():
        if group["must"] not in ("served", "ended"):
            continue
        rested = max((kept_idle(scene, report) for report in scene.reports_of(name)), default=0.0)
        if rested:
            yield Doubt(
                f"harness too slow: {name} was kept waiting for {rested:.1f} s, and the subject "
                f"promises to end who is idle for {promise:g} s",
                unproven=True,
            )


def _slow(scene: Scene) -> Iterator[Doubt]:
    worst: dict[str, float] = {}
    for event in scene.events("late"):
        source, late = event["source"], event["late_s"] - _frozen_for(scene, event)
        if late > LATENESS_ALLOWED_S:
            worst[source] = max(worst.get(source, 0.0), late)
    for source, late in worst.items():
        yield Doubt(f"harness too slow: the {source}'s own loop was {late:.2f} s late", False)


def _frozen_for(scene: Scene, event: Record) -> float:
    """For how much of a lateness the lab itself made that client stand still."""
    end = float(event["t"])
    begin = end - float(event["late_s"])
    faults = [
        record
        for record in scene.of_kind("fault")
        if record["fault"] == FREEZE and record["fields"]["client"] == event["source"]
    ]
    since: list[float] = [
        record["seen"]["since"] for record in faults if record["phase"] == "inject"
    ]
    until: list[float] = [record["t"] for record in faults if record["phase"] == "heal"]
    return sum(
        max(0.0, min(end, thawed) - max(begin, frozen))
        for frozen, thawed in zip_longest(since, until, fillvalue=end)
    )
