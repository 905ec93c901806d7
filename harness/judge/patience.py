"""Bystanders: whether a healthy client had to wait for its answer longer than it may."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

from iolab.harness.judge import words
from iolab.harness.judge.excuse import held_up
from iolab.harness.judge.hunger import hunger
from iolab.harness.judge.owed import FAILURES
from iolab.harness.judge.scene import Scene
from iolab.harness.judge.verdict import Finding, Level
from iolab.harness.record.agent import Report
from iolab.harness.record.kinds import Trigger

# A request of a bystander is late after this, or after so many times its median before the trigger.
LATE_AFTER_S = 1.0
LATE_AFTER_MEDIANS = 20

# A wait is late only because others had the CPUs, and no stall, if what remains of it is below this
# share of the bound; between that and the bound nobody knows.
SURELY_HUNGRY = 0.5

# Who has rested for this share of the promised idle timeout was perhaps ended for it: timers and
# clocks are coarse.
IDLE_SHARE = 0.75


@dataclass(frozen=True)
class _Wait:
    """One request: when it was asked, how long it took, and how long it might have taken."""

    asked: float
    took: float
    bound: float


def bystanders(scene: Scene) -> Iterator[Finding]:
    """Who of them was late, or was not served."""
    triggers = [record.t for record in scene.all(Trigger)]
    for name in sorted(scene.bystander_groups):
        for report in scene.reports_of(name):
            before = [s for t, s in report.latencies if not triggers or t + s < triggers[0]]
            usual = median(before) if before else 0.0
            waits = _waits(scene, report, max(LATE_AFTER_S, LATE_AFTER_MEDIANS * usual))
            late = [wait for wait in waits if wait.took > wait.bound]
            # By which share of its bound each was late, but for the want of a CPU.
            fed = max((_fed(scene, wait) / wait.bound for wait in late), default=0.0)
            if fed > 1:
                yield _late(scene, report, max(late, key=_excess), usual)
            elif fed > SURELY_HUNGRY:
                yield _perhaps_late(scene, report, max(late, key=_excess))
            elif report.outcome == "failed" and not kept_idle(scene, report):
                yield _unserved(scene, report)


def kept_idle(scene: Scene, report: Report) -> float:
    """For how long the harness let a connection rest before the subject ended it, in seconds.

    0 if that was too short for the subject's promise to end whoever is idle, or had no part in it:
    the client has had an answer since, say.
    """
    promise = scene.header.promises.get("idle_timeout_s")
    if promise is None or report.failure is None or not FAILURES[report.failure.kind].is_end:
        return 0.0
    answered = max((t + s for t, s in report.latencies), default=0.0)
    rests = ((since, until or scene.ended_at) for since, until in report.silent)
    longest = max((until - since for since, until in rests if until > answered), default=0.0)
    return longest if longest > IDLE_SHARE * promise else 0.0


def _waits(scene: Scene, report: Report, bound: float) -> Iterator[_Wait]:
    """Each request; one without its reply took as long as it was waited for.

    To the bound comes for how long the lab itself held up the subject, or the client, meanwhile.
    """
    asked = list(report.latencies)
    if report.unanswered is not None:
        until = report.closed or scene.ended_at or report.unanswered
        asked.append((report.unanswered, until - report.unanswered))
    node = scene.groups[report.group].client
    for t, s in asked:
        excused = held_up(scene, t, t + s, {None, node}) if s > bound else 0.0
        yield _Wait(t, s, bound + excused)


def _excess(wait: _Wait) -> float:
    return wait.took - wait.bound


def _fed(scene: Scene, wait: _Wait) -> float:
    """How long it would have taken, had the subject had the CPU whenever it wanted it."""
    return wait.took * (1 - hunger(scene, wait.asked, wait.took))


def _late(scene: Scene, report: Report, worst: _Wait, usual: float) -> Finding:
    near = scene.snapshot_during(worst.asked, worst.asked + worst.took)
    hungry = hunger(scene, worst.asked, worst.took)
    return Finding(
        "reply",
        Level.FAILED,
        "stalled",
        f"a healthy client waited {worst.took:.1f} s for its answer (bound {worst.bound:.1f} s)",
        (
            f"{words.outcome(report)}",
            f"its requests took {usual * 1000:.1f} ms in the median before the trigger",
            f"meanwhile it went without a CPU for {hungry:.0%} of the time",
            *words.row_of(scene, near, report),
            *words.threads(scene, near),
            *words.log_tail(scene.end),
        ),
        conditional=False,
    )


def _perhaps_late(scene: Scene, report: Report, worst: _Wait) -> Finding:
    hungry = hunger(scene, worst.asked, worst.took)
    return Finding(
        "reply",
        Level.UNKNOWN,
        "stalled",
        f"harness too slow: a healthy client waited {worst.took:.1f} s, and the subject went "
        f"without a CPU for {hungry:.0%} of the time",
        (words.outcome(report),),
    )


def _unserved(scene: Scene, report: Report) -> Finding:
    meaning = FAILURES[report.failure.kind if report.failure else "unfinished"]
    near = scene.snapshot_near(report.closed or scene.ended_at)
    return Finding(
        "reply",
        Level.FAILED,
        meaning.cause,
        f"a healthy client was not served: {meaning.fate}",
        (
            words.outcome(report),
            *words.row_of(scene, near, report),
            *words.threads(scene, near),
            *words.log_tail(scene.end),
        ),
        timed=not meaning.wrong_bytes,
        conditional=False,
    )
