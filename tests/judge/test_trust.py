"""Doubt: what makes UNKNOWN of a verdict, and what no doubt can excuse."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from iolab.harness.judge import SIDES, Judgement, Level
from iolab.harness.record.agent import FailureKind
from iolab.harness.record.base import Record
from iolab.harness.record.kinds import Aborted, HeldUp, Must, NotShown, Policy, Proof, Unready
from iolab.harness.record.probe import Late, WireFault
from tests.judge.playing import Observed, client, row

UNPROVEN: list[tuple[Record, str]] = [
    (
        Proof(claim="mid-reply: unsent bytes", held=False),
        "the circumstance was not seen: mid-reply: unsent bytes",
    ),
    (
        NotShown(reason="drop: no packet was taken (0 matched)"),
        "the fault was not seen: drop: no packet was taken (0 matched)",
    ),
    (
        WireFault(reason="the engine has died"),
        "the wire cannot be trusted: the engine has died",
    ),
    (
        Aborted(error="actors: play: it has ended"),
        "the scenario could not go on: actors: play: it has ended",
    ),
]
unproven = pytest.mark.parametrize(("record", "reason"), UNPROVEN)


def playing(*doubts: Record, fails: FailureKind | None = None) -> Judgement:
    """One connection, well served or failing so, and what is in doubt."""
    seen = Observed()
    seen.group("one")
    if fails:
        seen.failed("one#0", fails)
    else:
        seen.report("one#0")
    for doubt in doubts:
        seen.add(replace(doubt), "probe")
    seen.end()
    return seen.judged()


@pytest.mark.parametrize(("fails", "level"), [(False, Level.UNKNOWN), (True, Level.FAILED)])
def test_a_victim_that_did_not_come_to_where_it_was_wanted(fails: bool, level: Level) -> None:
    """It has shown nothing, unless it failed on the way, which is a finding of its own."""
    seen = Observed()
    seen.group("victim", must="nothing")
    seen.add(Unready(group="victim", mark="ready", error="none of 1 reached ready"))
    if fails:
        seen.failed("victim#0", "eof")
    else:
        seen.report("victim#0", "running")
    seen.end()
    assert seen.judged().reply.level is level


@unproven
def test_nothing_passes_without_its_proof(record: Record, reason: str) -> None:
    judgement = playing(record)
    for side in SIDES:
        verdict = judgement.side(side)
        assert verdict.level is Level.UNKNOWN
        assert verdict.findings[0].summary == reason
    assert judgement.doubts == (reason,)


@unproven
def test_nobody_is_blamed_without_proof(record: Record, reason: str) -> None:
    judgement = playing(record, fails="eof")
    [finding] = judgement.reply.findings
    assert (finding.level, finding.summary) == (Level.UNKNOWN, reason)
    assert finding.evidence[0].startswith("in doubt: 1 of 1 connections of one were not served")
    assert "one#0 10.91.0.4:50000: eof" in finding.evidence[1]


def test_all_reasons_are_told() -> None:
    judgement = playing(*(record for record, _ in UNPROVEN))
    assert judgement.doubts == tuple(reason for _, reason in UNPROVEN)
    finding = judgement.reply.findings[0]
    assert (finding.summary, *finding.evidence) == judgement.doubts


def test_a_proof_that_held_is_no_doubt() -> None:
    assert playing(Proof(claim="x", held=True)).level is Level.OK


@pytest.mark.parametrize("kind", ["mismatch", "surplus"])
def test_wrong_bytes_are_wrong_at_any_speed(kind: FailureKind) -> None:
    judgement = playing(Late(late_s=5.0), fails=kind)
    assert judgement.reply.level is Level.FAILED


@unproven
@pytest.mark.parametrize("kind", ["mismatch", "surplus"])
def test_wrong_bytes_are_wrong_whatever_is_in_doubt(
    record: Record, reason: str, kind: FailureKind
) -> None:
    assert playing(record, fails=kind).reply.level is Level.FAILED


class TestSlowHarness:
    def late(self, late_s: float, fails: FailureKind | None = None) -> Judgement:
        return playing(Late(late_s=late_s), fails=fails)

    def test_it_makes_unknown_of_a_failure_in_time(self) -> None:
        judgement = self.late(0.31, fails="late")
        assert judgement.reply.level is Level.UNKNOWN
        assert judgement.reply.findings[0].summary == (
            "harness too slow: the probe's own loop was 0.31 s late"
        )

    def test_it_never_makes_a_failure_or_a_doubt_of_a_pass(self) -> None:
        assert self.late(30.0).level is Level.OK

    def test_a_little_lateness_is_no_excuse(self) -> None:
        assert self.late(0.19, fails="late").reply.level is Level.FAILED

    def test_the_worst_of_each_process_is_told_once(self) -> None:
        doubts = playing(*(Late(late_s=late) for late in (0.3, 0.9, 0.5))).doubts
        assert doubts == ("harness too slow: the probe's own loop was 0.90 s late",)

    @pytest.mark.parametrize(
        ("frozen_s", "healed", "level"),
        [(2.0, True, Level.FAILED), (2.0, False, Level.FAILED), (1.5, True, Level.UNKNOWN)],
    )
    def test_a_client_that_the_lab_froze_was_not_slow(
        self, frozen_s: float, healed: bool, level: Level
    ) -> None:
        seen = Observed("vanish.frozen")
        since = seen.t
        seen.held_up(since, None, client="remote")
        seen.snapshot("last", row(client(0)))
        seen.removal(client(0), held=False)
        seen.t = since + frozen_s
        if healed:
            seen.held_up(since, seen.t, client="remote")
        seen.t = since + 2.0
        seen.late(2.1, "remote")
        seen.end()
        assert seen.judged().cleanup.level is level

    def test_nobody_else_is_excused_for_it(self) -> None:
        for whom in ("remote", None):
            frozen = HeldUp(since=0.0, client=whom, why="as the lab wants it")
            judgement = playing(frozen, Late(late_s=2.0), fails="late")
            assert judgement.reply.level is Level.UNKNOWN

    def test_what_is_allowed_stays_so(self) -> None:
        seen = Observed()
        seen.group("over", must="ended")
        seen.failed("over#0", "reset")
        seen.late(1.0)
        seen.end()
        assert seen.judged().reply.level is Level.NON_STRICT


def test_one_side_that_failed_leaves_the_other_in_doubt() -> None:
    judgement = playing(UNPROVEN[0][0], fails="mismatch")
    assert judgement.reply.level is Level.FAILED
    assert judgement.cleanup.level is Level.UNKNOWN
    assert judgement.level is Level.FAILED


def test_the_gravest_finding_decides_and_stands_first() -> None:
    seen = Observed()
    seen.add(Policy(of_what="an overlong line", seen="was cut"))
    seen.group("over", must="ended")
    seen.failed("over#0", "reset")
    seen.group("one")
    seen.failed("one#0", "mismatch")
    seen.end()
    levels = [finding.level for finding in seen.judged().reply.findings]
    assert levels == [Level.FAILED, Level.NON_STRICT, Level.INFORMATIONAL]


def test_a_playing_that_broke_off_has_no_end_and_is_judged_all_the_same() -> None:
    seen = Observed()
    seen.group("one")
    seen.failed("one#0", "late")
    seen.snapshot("last", row(client(0)))
    seen.add(Aborted(error="probe: wait: it has ended"))
    assert seen.judged().level is Level.UNKNOWN


def kept_waiting(rested_s: float, must: Must = "served", kind: FailureKind = "eof") -> Judgement:
    """One that was cut off after it had waited so long for its signal, of 2 s promised."""
    seen = Observed(idle_timeout_s=2)
    seen.group("one", must=must)
    since = seen.t
    seen.t += rested_s
    seen.failed("one#0", kind, silent=[(since, since + rested_s)])
    seen.end()
    return seen.judged()


def test_who_was_kept_waiting_may_have_been_ended_for_it() -> None:
    judgement = kept_waiting(2.0)
    assert judgement.reply.level is Level.UNKNOWN
    assert judgement.doubts == (
        "harness too slow: one was kept waiting for 2.0 s, and the subject promises to end who is "
        "idle for 2 s",
    )


def test_a_short_wait_is_no_doubt() -> None:
    assert kept_waiting(1.3).reply.level is Level.FAILED


def test_who_need_not_be_served_is_no_doubt() -> None:
    assert kept_waiting(2.0, must="nothing").level is Level.OK


def test_a_wait_is_no_doubt_about_who_had_no_answer() -> None:
    assert kept_waiting(2.0, kind="late").reply.level is Level.FAILED
