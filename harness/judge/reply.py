"""The reply verdict: did every client get its own answer, whole, in order, in time?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from iolab.harness.judge import words
from iolab.harness.judge.death import judge_death
from iolab.harness.judge.owed import DEBTS, FAILURES, Debt, Shortfall
from iolab.harness.judge.patience import bystanders
from iolab.harness.judge.promptness import halting, sluggish
from iolab.harness.judge.scene import Scene
from iolab.harness.judge.verdict import Finding, Level
from iolab.harness.record.agent import Report
from iolab.harness.record.base import Address
from iolab.harness.record.kinds import (
    ListensOn,
    Owed,
    Policy,
    Restart,
    SecondInstance,
    Survivors,
    Unready,
)


def judge_reply(scene: Scene) -> list[Finding]:
    """All findings on replies."""
    death = list(judge_death(scene))
    others = [
        *_scripts(scene),
        *bystanders(scene),
        *sluggish(scene),
        *halting(scene),
        *_second(scene),
        *_restarts(scene),
        *_listens_on(scene),
    ]
    others += _policies(scene)
    if death:
        # What a dead server did not answer is not a second bug.
        others = [f for f in others if f.cause == "wrong bytes"]
    return death + others


def _scripts(scene: Scene) -> Iterator[Finding]:
    for name, group in scene.groups.items():
        if name in scene.bystander_groups:
            continue
        debt = DEBTS[group.must]
        reports = scene.reports_of(name)
        if debt.is_ended:
            yield from _lost_replies(scene, name, reports, group.owed, _owed_by_then(scene, name))
            yield from _unkind_ends(name, reports)
        for kind, guilty in _by_kind(reports, debt).items():
            yield _shortfall(scene, name, kind, guilty, len(reports))
        if debt.until_touched:
            yield from _unready(scene, name, reports)


def _by_kind(reports: list[Report], debt: Debt) -> dict[Shortfall, list[Report]]:
    """The reports that fall short of what is owed, by the kind of their failure."""
    found: dict[Shortfall, list[Report]] = {}
    for report in reports:
        kind: Shortfall = report.failure.kind if report.failure else "unfinished"
        if report.outcome != "ok" and not debt.excuses(kind, report.failure):
            found.setdefault(kind, []).append(report)
    return found


def _unready(scene: Scene, name: str, reports: list[Report]) -> Iterator[Finding]:
    """Clients that failed before the scenario did anything to them."""
    if not any(record.group == name for record in scene.all(Unready)):
        return
    guilty = [report for report in reports if report.outcome == "failed"]
    for kind, some in _by_kind(guilty, DEBTS["served"]).items():
        if not FAILURES[kind].wrong_bytes:
            yield replace(_shortfall(scene, name, kind, some, len(reports)), conditional=False)


def _owed_by_then(scene: Scene, name: str) -> dict[Address | None, int]:
    """The replies that were seen to be owed, by the peer."""
    records = [record for record in scene.all(Owed) if record.group == name]
    return dict(pair for record in records for pair in record.replies)


def _lost_replies(
    scene: Scene, name: str, reports: list[Report], least: int, owed: Mapping[Address | None, int]
) -> Iterator[Finding]:
    """An end by the server, whatever its reason, must not take away replies that it owes."""
    short = [
        report
        for report in reports
        if _was_ended(report) and report.replies < max(least, owed.get(report.local, 0))
    ]
    if short:
        yield Finding(
            "reply",
            Level.FAILED,
            "owed replies lost",
            f"{len(short)} of {len(reports)} connections of {name} were ended and lost replies "
            "that they were owed",
            (
                *words.listed([words.outcome(report) for report in short], "connections"),
                *words.log_tail(scene.end),
                *words.ladder(scene, short[0].local),
            ),
            timed=False,
        )


def _was_ended(report: Report) -> bool:
    """Whether the server ended it: who waits still has lost nothing yet."""
    failure = report.failure
    by_failure = failure is not None and FAILURES[failure.kind].is_end
    return by_failure or report.eof is not None or report.reset is not None


def _unkind_ends(name: str, reports: list[Report]) -> Iterator[Finding]:
    reset = [
        report
        for report in reports
        # A reset that came after the end takes nothing away from who has read up to the end.
        if not report.eof
        and (report.reset or (report.failure and FAILURES[report.failure.kind].unkind))
    ]
    if reset:
        yield Finding(
            "reply",
            Level.NON_STRICT,
            "unkind end",
            f"{len(reset)} of {len(reports)} connections of {name} were ended by a reset: what the "
            "server still had to say may be lost",
            tuple(words.listed([words.outcome(report) for report in reset], "connections")),
        )


def _shortfall(
    scene: Scene, name: str, kind: Shortfall, guilty: list[Report], total: int
) -> Finding:
    first, meaning = guilty[0], FAILURES[kind]
    evidence = words.listed([words.outcome(report) for report in guilty], "connections")
    near = scene.snapshot_near(first.closed or scene.ended_at)
    if not meaning.wrong_bytes:
        evidence += words.row_of(scene, near, first) + words.threads(scene, near)
        evidence += words.log_tail(scene.end)
    evidence += words.ladder(scene, first.local)
    return Finding(
        "reply",
        Level.FAILED,
        meaning.cause,
        f"{len(guilty)} of {total} connections of {name} were not served: {meaning.fate}",
        tuple(evidence),
        timed=not meaning.wrong_bytes,
        conditional=not meaning.wrong_bytes,
    )


def _second(scene: Scene) -> Iterator[Finding]:
    for record in scene.all(SecondInstance):
        said = tuple(f"it said: {words.printable(line)}" for line in record.said)
        said = said or ("it said nothing",)
        if record.status is None and record.listens:
            what = "a second instance on the same port runs beside the first"
        elif record.status is None:
            what = "a second instance goes on without the port, and neither serves nor ends"
        elif record.status == 0:
            what = "a second instance ended with status 0, as if it had served"
        elif not record.said:
            what = "a second instance ended without a word"
        else:
            continue
        yield Finding("reply", Level.FAILED, "address in use", what, said, conditional=False)


def _restarts(scene: Scene) -> Iterator[Finding]:
    left = [line for record in scene.all(Survivors) for line in words.survivors(record)]
    kept = any(record.listeners for record in scene.all(Survivors))
    for record in scene.all(Restart):
        if not record.listening:
            yield Finding(
                "reply",
                Level.FAILED,
                "does not start again",
                "started again at once after SIGKILL, it does not listen",
                (*left, *words.log_tail(scene.end, lines=12)),
                conditional=False,
            )
        elif kept:
            yield Finding(
                "reply",
                Level.FAILED,
                "children outlive it",
                "children of the killed server keep its listener beside the one started again",
                tuple(left),
                conditional=False,
            )


def _listens_on(scene: Scene) -> Iterator[Finding]:
    for record in scene.all(ListensOn):
        if record.held:
            what = "asked to stop, it listens on: who comes now is left to wait, or cut off"
            yield Finding("reply", Level.NON_STRICT, "listens on", what)


def _policies(scene: Scene) -> Iterator[Finding]:
    for record in scene.all(Policy):
        yield Finding("reply", Level.INFORMATIONAL, "policy", f"{record.of_what} {record.seen}")
