"""The reply verdict: did every client get its own answer, whole, in order, in time?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from statistics import median

from iolab.harness.judge import words
from iolab.harness.judge.death import judge_death
from iolab.harness.judge.hunger import hunger
from iolab.harness.judge.promptness import halting, sluggish
from iolab.harness.judge.scene import Record, Scene, address
from iolab.harness.judge.verdict import Finding, Level

# A request of a bystander is late after this, or after so many times its median before the trigger.
LATE_AFTER_S = 1.0
LATE_AFTER_MEDIANS = 20

# A wait is late only because others had the CPUs, and no stall, if what remains of it is below this
# share of the bound; between that and the bound nobody knows.
SURELY_HUNGRY = 0.5

# Who has rested for this share of the promised idle timeout was perhaps ended for it: timers and
# clocks are coarse.
IDLE_SHARE = 0.75

WRONG_BYTES = ("mismatch", "surplus")

# How a server turns a client away so that the client knows it.
CLEAR_REFUSALS = ("refused", "reset", "eof", "broken-pipe")

# How a server that ends a connection shows in a client that still sends.
ENDS = ("reset", "eof", "broken-pipe")

FATES = {
    "mismatch": "wrong bytes came",
    "surplus": "bytes came that nobody asked for",
    "late": "no answer in time",
    "unfinished": "no end in time",
    "refused": "the connection was refused",
    "reset": "the server reset the connection",
    "eof": "the server ended the connection early",
    "broken-pipe": "the server had ended the connection",
    "timed-out": "the connection timed out",
    "unreachable": "the server was unreachable",
}

CAUSES = {
    "mismatch": "wrong bytes",
    "surplus": "wrong bytes",
    "late": "no reply",
    "refused": "refused",
    "reset": "cut off",
    "eof": "cut off",
    "broken-pipe": "cut off",
    "timed-out": "cut off",
    "unreachable": "cut off",
    "os": "cut off",
}


def judge_reply(scene: Scene) -> list[Finding]:
    """All findings on replies."""
    death = list(judge_death(scene))
    others = [
        *_scripts(scene),
        *_bystanders(scene),
        *sluggish(scene),
        *halting(scene),
        *_kept(scene),
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
        reports = scene.reports_of(name)
        if group["must"] == "ended":
            yield from _lost_replies(scene, name, reports, group["owed"])
            yield from _unkind_ends(name, reports)
        for kind, guilty in _by_kind(reports, group["must"]).items():
            yield _shortfall(scene, name, kind, guilty, len(reports))
        if group["must"] == "nothing":
            yield from _unready(scene, name, reports)


def _by_kind(reports: list[Record], must: str) -> dict[str, list[Record]]:
    """The reports that fall short of what is demanded, by the kind of their failure."""
    found: dict[str, list[Record]] = {}
    for report in reports:
        failure = report.get("failure")
        kind = failure["kind"] if failure else "unfinished"
        if report["outcome"] == "ok":
            continue
        if must == "nothing" and kind not in WRONG_BYTES:
            continue
        if must == "ended" and kind in ENDS:
            continue
        if must == "served-or-refused" and (kind in CLEAR_REFUSALS or _is_told_off(failure)):
            continue
        if must == "in-turn-or-refused" and (kind not in WRONG_BYTES or _is_told_off(failure)):
            continue
        found.setdefault(kind, []).append(report)
    return found


def _unready(scene: Scene, name: str, reports: list[Record]) -> Iterator[Finding]:
    """Clients that failed before the scenario did anything to them."""
    if not any(record["group"] == name for record in scene.of_kind("unready")):
        return
    guilty = [report for report in reports if report["outcome"] == "failed"]
    for kind, some in _by_kind(guilty, "served").items():
        if kind not in WRONG_BYTES:
            yield replace(_shortfall(scene, name, kind, some, len(reports)), conditional=False)


def _lost_replies(scene: Scene, name: str, reports: list[Record], owed: int) -> Iterator[Finding]:
    """An end by the server, whatever its reason, must not take away replies that it owes."""
    short = [report for report in reports if report["replies"] < owed]
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
                *words.ladder(scene, short[0].get("local")),
            ),
            timed=False,
        )


def _unkind_ends(name: str, reports: list[Record]) -> Iterator[Finding]:
    reset = [
        report
        for report in reports
        # A reset that came after the end takes nothing away from who has read up to the end.
        if not report["eof"]
        and (report["reset"] or (report["failure"] or {}).get("kind") in ("reset", "broken-pipe"))
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


def _is_told_off(failure: Record | None) -> bool:
    """Whether the server said something of its own in place of the first reply: why it refuses."""
    return failure is not None and failure["kind"] in WRONG_BYTES and failure["at"] == 0


def _shortfall(scene: Scene, name: str, kind: str, guilty: list[Record], total: int) -> Finding:
    first = guilty[0]
    when = first["closed"] or scene.end.get("t", 0.0)
    evidence = words.listed([words.outcome(report) for report in guilty], "connections")
    near = scene.snapshot_near(when)
    if kind not in WRONG_BYTES:
        evidence += _row_of(scene, near, first) + words.threads(scene, near)
        evidence += words.log_tail(scene.end)
    evidence += words.ladder(scene, first.get("local"))
    return Finding(
        "reply",
        Level.FAILED,
        CAUSES.get(kind, "no reply"),
        f"{len(guilty)} of {total} connections of {name} were not served: {FATES.get(kind, kind)}",
        tuple(evidence),
        timed=kind not in WRONG_BYTES,
        conditional=kind not in WRONG_BYTES,
    )


def _row_of(scene: Scene, snapshot: Record | None, report: Record) -> list[str]:
    """The connection's row in the server's kernel, or when it was last seen there."""
    if snapshot is None or not report.get("local"):
        return []
    before = [one for one in scene.snapshots if one["t"] < snapshot["t"]]
    for near in (snapshot, *sorted(before, key=lambda one: -float(one["t"]))):
        for row in near["sockets"]:
            if row["peer"] == report["local"]:
                ago = snapshot["t"] - near["t"]
                return [words.socket(scene, row) + (f" ({ago:.1f} s before)" if ago else "")]
    return [f"no socket for {address(report['local'])} in the server's kernel"]


def _bystanders(scene: Scene) -> Iterator[Finding]:
    excused = sum(record["seconds"] for record in scene.of_kind("excuse"))
    triggers = [record["t"] for record in scene.of_kind("trigger")]
    for name in sorted(scene.bystander_groups):
        for report in scene.reports_of(name):
            waited = _waits(scene, report)
            answered = report["latencies"]
            before = [s for t, s in answered if not triggers or t + s < triggers[0]]
            usual = median(before) if before else 0.0
            bound = max(LATE_AFTER_S, LATE_AFTER_MEDIANS * usual) + excused
            late = [(t, s) for t, s in waited if s > bound]
            fed = max((s * (1 - hunger(scene, t, s)) for t, s in late), default=0.0)
            if fed > bound:
                yield _late(scene, report, max(late, key=lambda one: one[1]), bound, usual)
            elif fed > SURELY_HUNGRY * bound:
                yield _perhaps_late(scene, report, max(late, key=lambda one: one[1]))
            elif report["outcome"] == "failed" and not kept_idle(scene, report):
                yield _unserved_bystander(scene, report)


def kept_idle(scene: Scene, report: Record) -> float:
    """For how long the harness let a connection rest before the subject ended it, in seconds.

    0 if that was too short for the subject's promise to end whoever is idle, or had no part in it:
    the client has had an answer since, say.
    """
    promise = scene.header["promises"].get("idle_timeout_s")
    if promise is None or (report["failure"] or {}).get("kind") not in ENDS:
        return 0.0
    answered = max((t + s for t, s in report["latencies"]), default=0.0)
    rests = ((since, until or scene.end.get("t", 0.0)) for since, until in report["silent"])
    longest = max((until - since for since, until in rests if until > answered), default=0.0)
    return longest if longest > IDLE_SHARE * promise else 0.0


def _waits(scene: Scene, report: Record) -> list[tuple[float, float]]:
    """(when asked, how long it took) of each request; of one without its reply, so far."""
    waits = [(t, s) for t, s in report["latencies"]]
    if report.get("unanswered") is not None:
        until = report["closed"] or scene.end.get("t", report["unanswered"])
        waits.append((report["unanswered"], until - report["unanswered"]))
    return waits


def _late(
    scene: Scene, report: Record, worst: tuple[float, float], bound: float, usual: float
) -> Finding:
    asked, took = worst
    near = scene.snapshot_during(asked, asked + took)
    return Finding(
        "reply",
        Level.FAILED,
        "stalled",
        f"a healthy client waited {took:.1f} s for its answer (bound {bound:.1f} s)",
        (
            f"{words.outcome(report)}",
            f"its requests took {usual * 1000:.1f} ms in the median before the trigger",
            f"meanwhile it went without a CPU for {hunger(scene, asked, took):.0%} of the time",
            *_row_of(scene, near, report),
            *words.threads(scene, near),
            *words.log_tail(scene.end),
        ),
        conditional=False,
    )


def _perhaps_late(scene: Scene, report: Record, worst: tuple[float, float]) -> Finding:
    return Finding(
        "reply",
        Level.UNKNOWN,
        "stalled",
        f"harness too slow: a healthy client waited {worst[1]:.1f} s, and the subject went without "
        f"a CPU for {hunger(scene, *worst):.0%} of the time",
        (words.outcome(report),),
    )


def _unserved_bystander(scene: Scene, report: Record) -> Finding:
    failure = report["failure"]
    near = scene.snapshot_near(report["closed"] or scene.end.get("t", 0.0))
    return Finding(
        "reply",
        Level.FAILED,
        CAUSES.get(failure["kind"], "no reply"),
        f"a healthy client was not served: {FATES.get(failure['kind'], failure['kind'])}",
        (
            words.outcome(report),
            *_row_of(scene, near, report),
            *words.threads(scene, near),
            *words.log_tail(scene.end),
        ),
        timed=failure["kind"] not in WRONG_BYTES,
        conditional=False,
    )


def _second(scene: Scene) -> Iterator[Finding]:
    for record in scene.of_kind("second"):
        said = tuple(f"it said: {words.printable(line)}" for line in record["said"])
        said = said or ("it said nothing",)
        if record["status"] is None and record.get("listens", True):
            what = "a second instance on the same port runs beside the first"
        elif record["status"] is None:
            what = "a second instance goes on without the port, and neither serves nor ends"
        elif record["status"] == 0:
            what = "a second instance ended with status 0, as if it had served"
        elif not record["said"]:
            what = "a second instance ended without a word"
        else:
            continue
        yield Finding("reply", Level.FAILED, "address in use", what, said, conditional=False)


def _restarts(scene: Scene) -> Iterator[Finding]:
    left = [line for record in scene.of_kind("survivors") for line in words.survivors(record)]
    kept = any(record["listeners"] for record in scene.of_kind("survivors"))
    for record in scene.of_kind("restart"):
        if not record["listening"]:
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
    for record in scene.of_kind("listens-on"):
        if record["held"]:
            what = "asked to stop, it listens on: who comes now is left to wait, or cut off"
            yield Finding("reply", Level.NON_STRICT, "listens on", what)


def _policies(scene: Scene) -> Iterator[Finding]:
    for record in scene.of_kind("policy"):
        yield Finding(
            "reply", Level.INFORMATIONAL, "policy", f"{record['of_what']} {record['seen']}"
        )


def _kept(scene: Scene) -> Iterator[Finding]:
    for record in scene.of_kind("kept"):
        if record["missing"]:
            yield Finding(
                "reply",
                Level.FAILED,
                "removed alive",
                f"{len(record['missing'])} live connections were removed",
                tuple(
                    words.listed([scene.name_of(peer) for peer in record["missing"]], "connections")
                    + words.log_tail(scene.end)
                ),
            )
