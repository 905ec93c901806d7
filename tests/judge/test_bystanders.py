"""Healthy clients: when they are late, and whom an idle one does not blame."""

from __future__ import annotations

from typing import Any

import pytest

from iolab.harness.judge import Level
from iolab.harness.judge.hunger import between
from iolab.harness.record.agent import FailureKind
from iolab.harness.record.kinds import NotShown, Trigger
from iolab.harness.record.probe import Snapshot
from tests.judge.playing import Observed, evidence, failure, process, row, thread

LOCAL = ("10.91.0.3", 40_000)

# Requests of the warm-up.
USUAL = [(10.0 + k, 0.01) for k in range(5)]


def asked(seen: Observed, *took: float) -> list[tuple[float, float]]:
    """Requests of which each took so long, one after the other, until now."""
    begun = seen.t - sum(took)
    return [(begun + sum(took[:k]), s) for k, s in enumerate(took)]


def judged(*took: float, trigger_after: int = 5) -> Any:
    seen = Observed()
    seen.t += sum(took)
    waits = asked(seen, *took)
    begun = waits[trigger_after - 1]
    seen.records.append(Trigger(t=sum(begun) + 0.001, groups=[]))
    seen.bystander(latencies=waits)
    seen.end()
    return seen.judged().reply


def test_prompt_answers_are_fine() -> None:
    assert judged(*[0.01] * 20).level is Level.OK


def test_an_answer_after_more_than_a_second_is_a_stall() -> None:
    verdict = judged(*[0.01] * 5, 1.2)
    [finding] = verdict.findings
    assert finding.cause == "stalled"
    assert finding.summary == "a healthy client waited 1.2 s for its answer (bound 1.0 s)"
    assert "took 10.0 ms in the median before the trigger" in evidence(finding)


def test_the_bound_grows_with_what_was_usual_before_the_trigger() -> None:
    assert judged(*[0.2] * 5, 3.5).level is Level.OK
    assert judged(*[0.2] * 5, 4.5).level is Level.FAILED


def test_what_came_after_the_trigger_is_no_measure() -> None:
    assert judged(*[0.01] * 5, *[0.9] * 20, 1.5).level is Level.FAILED


HELD_UP_S = 5.0


def held_up(took: float, after_s: float = -1.0, **fields: Any) -> Level:
    """The verdict on a wait of so long, where the lab held up the subject so long after it began.

    It stands still for 5 s, from one second before the request was asked unless said otherwise.
    """
    seen = Observed()
    seen.t += took + 0.1
    waits = asked(seen, *[0.01] * 5, took)
    since = waits[-1][0] + after_s
    seen.held_up(since, since + HELD_UP_S, **fields)
    seen.bystander(latencies=waits)
    seen.end()
    return seen.judged().reply.level


def test_for_as_long_as_the_lab_held_up_the_subject_a_wait_is_excused() -> None:
    assert held_up(4.9) is Level.OK
    assert held_up(5.5) is Level.FAILED


def test_a_hold_up_excuses_no_wait_at_another_time() -> None:
    assert held_up(5.5, after_s=-50.0) is Level.FAILED
    assert held_up(5.5, after_s=6.0) is Level.FAILED
    assert held_up(1.5, after_s=-HELD_UP_S) is Level.FAILED


def test_a_share_of_a_hold_up_is_a_share_of_an_excuse() -> None:
    assert held_up(4.5, share=0.9) is Level.OK
    assert held_up(5.0, share=0.9) is Level.FAILED


def test_who_is_held_up_has_the_excuse() -> None:
    assert held_up(4.9, client="bystanders") is Level.OK
    assert held_up(4.9, client="actors") is Level.FAILED


def test_two_hold_ups_at_the_same_time_are_one_excuse() -> None:
    for both, level in ((2.9, Level.OK), (3.5, Level.FAILED)):
        seen = Observed()
        seen.t += both + 0.1
        waits = asked(seen, *[0.01] * 5, both)
        since = waits[-1][0]
        seen.held_up(since, None)
        seen.held_up(since, since + 2.0)
        seen.held_up(since + 0.5, since + 1.5, client="bystanders")
        seen.bystander(latencies=waits)
        seen.end()
        assert seen.judged().reply.level is level


def test_a_hold_up_of_which_no_end_is_on_record_lasts() -> None:
    seen = Observed()
    since = seen.t
    seen.held_up(since, None)
    seen.t += 10.0
    seen.bystander(outcome="running", unanswered=since + 0.5)
    seen.end()
    assert seen.judged().reply.level is Level.OK


def test_a_request_without_its_answer_counts_until_the_end() -> None:
    seen = Observed()
    since = seen.t
    blocked = process(14, thread("recvfrom", fd=9, since_s=1.4))
    stuck = row(("10.91.0.4", 50_003), inode=1_003, owners=[(14, 9)])
    seen.t += 1.0
    seen.snapshot(
        "holder#0 waits for its answer", stuck, row(LOCAL, recv_q=30), processes=[blocked]
    )
    seen.t += 1.0
    seen.bystander(outcome="running", unanswered=since)
    seen.end()
    [finding] = seen.judged().reply.findings
    assert finding.cause == "stalled"
    told = evidence(finding)
    assert "waited 2.3 s" in told or "waited 2.4 s" in told
    assert "30 bytes unread" in told
    assert "was in recvfrom on descriptor 9, the connection of 10.91.0.4:50003, for 1.4 s" in told


def test_a_request_of_one_that_was_let_go_counts_until_then() -> None:
    seen = Observed()
    since = seen.t
    seen.t += 2.0
    seen.bystander(outcome="dropped", unanswered=since, closed=since + 0.1)
    seen.end()
    assert seen.judged().reply.level is Level.OK


def test_a_stall_does_not_rest_on_what_was_not_proven() -> None:
    seen = Observed()
    seen.bystander(latencies=[*USUAL, (50.0, 3.0)])
    seen.add(NotShown(reason="drop: no packet was taken"))
    seen.end()
    assert seen.judged().reply.level is Level.FAILED


def test_a_stall_is_a_measured_time() -> None:
    seen = Observed()
    seen.bystander(latencies=[*USUAL, (50.0, 3.0)])
    seen.late(0.4, "bystanders")
    seen.end()
    judgement = seen.judged()
    assert judgement.reply.level is Level.UNKNOWN
    [finding] = judgement.reply.findings
    assert finding.summary == "harness too slow: the bystanders's own loop was 0.40 s late"
    assert finding.evidence[0].startswith("in doubt: a healthy client waited 3.0 s")


@pytest.mark.parametrize("kind", ["eof", "reset", "refused", "mismatch", "late"])
def test_one_that_was_cut_off_was_not_served(kind: FailureKind) -> None:
    seen = Observed()
    seen.bystander(outcome="failed", failure=failure(kind))
    seen.end()
    [finding] = seen.judged().reply.findings
    assert finding.level is Level.FAILED
    assert finding.summary.startswith("a healthy client was not served: ")


def idle_holder(rested_s: float, kind: FailureKind, **promises: Any) -> Level:
    """One whose connection ended after the harness had let it rest."""
    seen = Observed(**promises)
    since = seen.t
    seen.t += rested_s
    seen.bystander(outcome="failed", failure=failure(kind), silent=[(since, since + rested_s)])
    seen.end()
    return seen.judged().reply.level


def test_a_bystander_that_was_kept_idle_blames_nobody() -> None:
    assert idle_holder(1.7, "eof", idle_timeout_s=2) is Level.OK
    assert idle_holder(1.7, "reset", idle_timeout_s=2) is Level.OK


def test_a_short_rest_is_no_excuse() -> None:
    assert idle_holder(1.3, "eof", idle_timeout_s=2) is Level.FAILED


def test_a_rest_excuses_nobody_who_promises_no_idle_timeout() -> None:
    assert idle_holder(5.0, "eof") is Level.FAILED


def test_a_rest_does_not_excuse_wrong_bytes() -> None:
    assert idle_holder(1.7, "mismatch", idle_timeout_s=2) is Level.FAILED


def test_a_rest_that_still_lasts_counts_until_the_end() -> None:
    seen = Observed(idle_timeout_s=2)
    since = seen.t
    seen.t += 3
    seen.bystander(outcome="failed", failure=failure("eof"), silent=[(since, None)])
    seen.end()
    assert seen.judged().reply.level is Level.OK


def test_a_rest_that_was_survived_excuses_nobody() -> None:
    seen = Observed(idle_timeout_s=2)
    rest = (seen.t, seen.t + 1.9)
    seen.t += 2
    seen.bystander(
        outcome="failed",
        failure=failure("eof"),
        silent=[rest],
        latencies=[(rest[1] + 0.01, 0.001)],
    )
    seen.end()
    assert seen.judged().reply.level is Level.FAILED


def stalled(looks: list[tuple[float, dict[str, Any]]], took: float = 1.8) -> Any:
    """The verdict on a wait of so long, with what the probe saw of the subject meanwhile."""
    seen = Observed()
    seen.t += 0.05 + took
    waits = asked(seen, *[0.01] * 5, took)
    begun = waits[-1][0]
    seen.records.append(Trigger(t=begun - 0.001, groups=[]))
    for after, times in looks:
        seen.snapshot("waits", t=begun + after, processes=[process(**times)])
    seen.bystander(latencies=waits)
    seen.end()
    return seen.judged().reply


def test_who_had_no_cpu_is_not_late() -> None:
    hungry = [
        (0.5, {"cpu_s": 1.0, "queued_s": 2.0}),
        (0.8, {"cpu_s": 1.03, "queued_s": 2.2}),
    ]
    assert stalled(hungry, took=1.4).level is Level.OK
    verdict = stalled(hungry, took=2.4)
    assert verdict.level is Level.UNKNOWN
    assert "went without a CPU for 67% of the time" in verdict.findings[0].summary
    verdict = stalled(hungry, took=4.0)
    assert verdict.level is Level.FAILED
    assert "meanwhile it went without a CPU for 67% of the time" in evidence(verdict.findings[0])


@pytest.mark.parametrize(
    "looks",
    [
        [(0.5, {"cpu_s": 1.0, "queued_s": 2.0})],
        [(0.5, {"cpu_s": 1.0, "queued_s": 2.0}), (0.8, {"cpu_s": 1.0, "queued_s": 2.0})],
        [(0.5, {"cpu_s": 1.0, "queued_s": 2.0}), (0.8, {"cpu_s": 1.3, "queued_s": 2.0})],
        # Its own threads are in each other's way.
        [(0.5, {"cpu_s": 1.0, "queued_s": 2.0}), (0.8, {"cpu_s": 1.6, "queued_s": 2.4})],
        [(-2.0, {"cpu_s": 1.0, "queued_s": 2.0}), (0.8, {"cpu_s": 1.1, "queued_s": 4.5})],
    ],
)
def test_who_had_it_or_did_not_want_it_is(looks: list[tuple[float, dict[str, Any]]]) -> None:
    assert stalled(looks).level is Level.FAILED


def answers(*took: float, names_slow: bool = True) -> Any:
    seen = Observed(names_slow=names_slow)
    seen.t += sum(took)
    seen.bystander(latencies=asked(seen, *took))
    seen.end()
    return seen.judged().reply


def test_a_server_that_is_slow_with_every_answer_is_named_once() -> None:
    [finding] = answers(*[0.9] * 9, 0.6).findings
    assert finding.cause == "slow"
    assert "the quickest of 10 took 0.6 s" in finding.summary
    assert answers(*[0.9] * 10, names_slow=False).level is Level.OK


def test_one_quick_answer_shows_that_the_machine_was_slow() -> None:
    assert answers(*[0.9] * 9, 0.1).level is Level.OK


def test_few_answers_are_no_measure() -> None:
    assert answers(*[0.9] * 4).level is Level.OK


def test_a_child_that_was_born_meanwhile_is_hungry_for_its_parent() -> None:
    parent, child = process(cpu_s=1.0, queued_s=2.1), process(15, cpu_s=0.1, queued_s=0.25)
    first = Snapshot(t=1.0, sockets=[], processes=[process(cpu_s=1.0, queued_s=2.0)])
    last = Snapshot(t=1.5, sockets=[], processes=[parent, child])
    assert between(first, last) == pytest.approx(0.7)


def test_replies_that_wait_for_an_acknowledgement_are_told_of_and_allowed() -> None:
    verdict = answers(0.001, 0.002, *[0.042] * 6)
    assert verdict.level is Level.NON_STRICT
    assert "6 of 8 answers took some 40 ms" in verdict.findings[0].summary


@pytest.mark.parametrize("took", [[0.042] * 8, [0.001] * 5 + [0.042] * 4, [0.001] + [0.09] * 7])
def test_a_machine_that_is_busy_is_not_taken_for_it(took: list[float]) -> None:
    assert answers(*took).level is Level.OK
