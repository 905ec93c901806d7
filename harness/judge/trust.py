"""What puts a verdict in doubt: the harness judges itself too."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from iolab.harness.judge.excuse import held_up
from iolab.harness.judge.owed import DEBTS
from iolab.harness.judge.patience import LATE_AFTER_S, kept_idle
from iolab.harness.judge.scene import Scene
from iolab.harness.record.kinds import Aborted, NotShown, Proof, Unready
from iolab.harness.record.probe import Late, WireFault

# An agent or probe whose own loop was late by more than this share of a bystander's bound cannot
# say that the subject was late.
LATENESS_ALLOWED_S = LATE_AFTER_S / 5


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
    for proof in scene.all(Proof):
        if not proof.held:
            yield Doubt(f"the circumstance was not seen: {proof.claim}", unproven=True)
    for unready in scene.all(Unready):
        group = scene.groups[unready.group]
        failed = any(report.outcome == "failed" for report in scene.reports_of(unready.group))
        # Who failed on the way is a finding of its own; who just was not there has shown nothing.
        if DEBTS[group.must].until_touched and not failed:
            yield Doubt(
                f"the circumstance was not seen: {unready.group} did not come to {unready.mark}",
                unproven=True,
            )
    for fault in scene.all(NotShown):
        yield Doubt(f"the fault was not seen: {fault.reason}", unproven=True)
    for wire in scene.all(WireFault):
        yield Doubt(f"the wire cannot be trusted: {wire.reason}", unproven=True)
    for end in scene.all(Aborted):
        yield Doubt(f"the scenario could not go on: {end.error}", unproven=True)


def _kept_idle(scene: Scene) -> Iterator[Doubt]:
    """Clients that were to be served, and had to wait until they could be taken for idle.

    What they were to show was not shown, so this is no mere slowness.
    """
    promise = scene.header.promises.get("idle_timeout_s")
    for name, group in scene.groups.items():
        if not DEBTS[group.must].while_kept:
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
    for event in scene.all(Late):
        # A client that the lab made stand still was not slow.
        held = held_up(scene, event.t - event.late_s, event.t, {event.source})
        late = event.late_s - held
        if late > LATENESS_ALLOWED_S:
            worst[event.source] = max(worst.get(event.source, 0.0), late)
    for source, late in worst.items():
        yield Doubt(f"harness too slow: the {source}'s own loop was {late:.2f} s late", False)
