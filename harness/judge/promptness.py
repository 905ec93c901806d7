"""Whether a subject is slow with everybody, which no comparison with what is usual would show."""

from __future__ import annotations

from collections.abc import Iterator

from iolab.harness.judge import words
from iolab.harness.judge.scene import Scene
from iolab.harness.judge.verdict import Finding, Level

# The quickest of several answers is the measure: no busy machine delays them all for so long.
SLOW_S = 0.15
SEVERAL = 5

# How long a kernel puts off the acknowledgement of a segment that it need not answer at once, and
# some more for the way there. What a server writes next waits for it, unless TCP_NODELAY is set.
DELAYED_S = (0.035, 0.06)


def sluggish(scene: Scene) -> Iterator[Finding]:
    """A subject that takes its time with everybody, even with a client that is alone."""
    if not scene.header.names_slow:
        return
    for name in sorted(scene.bystander_groups):
        reports = scene.reports_of(name)
        answered = [(s, t) for report in reports for t, s in report.latencies]
        if len(answered) < SEVERAL or min(answered)[0] <= SLOW_S:
            continue
        best, asked = min(answered)
        near = scene.snapshot_during(asked, asked + best)
        yield Finding(
            "reply",
            Level.FAILED,
            "slow",
            f"every answer is late: the quickest of {len(answered)} took {best:.1f} s, with next "
            "to nobody to serve",
            (
                *(words.outcome(report) for report in reports),
                *words.threads(scene, near),
                *words.log_tail(scene.end),
            ),
            conditional=False,
        )


def halting(scene: Scene) -> Iterator[Finding]:
    """A subject that writes a reply in pieces, of which the last waits for the peer's kernel."""
    if not scene.header.names_slow:
        return
    for name in sorted(scene.bystander_groups):
        reports = scene.reports_of(name)
        took = [s for report in reports for _, s in report.latencies]
        delayed = [s for s in took if DELAYED_S[0] < s < DELAYED_S[1]]
        if len(took) < SEVERAL or min(took) > DELAYED_S[0] / 2 or 2 * len(delayed) < len(took):
            continue
        yield Finding(
            "reply",
            Level.NON_STRICT,
            "halting",
            f"{len(delayed)} of {len(took)} answers took some 40 ms, as long as a client's kernel "
            "puts off an acknowledgement: a reply in several writes, without TCP_NODELAY?",
            tuple(words.outcome(report) for report in reports),
        )
