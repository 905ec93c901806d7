"""The reply verdict on scripted connections: what each demand lets pass, and the evidence."""

from __future__ import annotations

import pytest

from iolab.harness.judge import Level
from iolab.harness.record.agent import FailureKind
from iolab.harness.record.kinds import NotShown, Owed, Policy, Unready
from iolab.harness.record.probe import Packet, Packets
from tests.judge.playing import SERVER, Observed, client, evidence, process, row, thread


def test_everything_as_expected() -> None:
    seen = Observed()
    seen.group("one")
    seen.report("one#0")
    seen.end("served")
    judgement = seen.judged()
    assert (judgement.reply.level, judgement.cleanup.level) == (Level.OK, Level.OK)
    assert judgement.findings == ()


@pytest.mark.parametrize(
    ("kind", "cause", "words"),
    [
        ("mismatch", "wrong bytes", "wrong bytes came"),
        ("surplus", "wrong bytes", "bytes came that nobody asked for"),
        ("late", "no reply", "no answer in time"),
        ("unended", "no end", "every reply came, and the end of the connection did not"),
        ("refused", "refused", "the connection was refused"),
        ("reset", "cut off", "the server reset the connection"),
        ("eof", "cut off", "the server ended the connection early"),
        ("broken-pipe", "cut off", "the server had ended the connection"),
        ("timed-out", "cut off", "the connection timed out"),
        ("unreachable", "cut off", "the server was unreachable"),
        ("os", "cut off", "os"),
    ],
)
def test_each_kind_of_failure_has_its_cause(kind: FailureKind, cause: str, words: str) -> None:
    seen = Observed()
    seen.group("one", count=2)
    seen.report("one#0")
    seen.failed("one#1", kind)
    seen.end()
    judgement = seen.judged()
    [finding] = judgement.reply.findings
    assert (judgement.reply.level, finding.cause) == (Level.FAILED, cause)
    assert finding.summary == f"1 of 2 connections of one were not served: {words}"
    assert judgement.cleanup.level is Level.OK


def test_two_kinds_of_failure_are_two_findings() -> None:
    seen = Observed()
    seen.group("one", count=3)
    kinds: tuple[FailureKind, ...] = ("eof", "mismatch", "eof")
    for k, kind in enumerate(kinds):
        seen.failed(f"one#{k}", kind)
    seen.end()
    summaries = [finding.summary for finding in seen.judged().reply.findings]
    assert sorted(summary.partition(":")[0] for summary in summaries) == [
        "1 of 3 connections of one were not served",
        "2 of 3 connections of one were not served",
    ]


def test_a_failure_is_told_with_client_kernel_and_thread() -> None:
    seen = Observed()
    seen.group("one")
    blocked = process(14, thread("sendto", fd=8, since_s=2.0))
    other = row(client(4), inode=1_004, owners=[(14, 8)], send_q=2_500_000)
    mine = row(client(0), recv_q=14)
    seen.report("never-reader#4")
    seen.failed("one#0", "late", "14 bytes are missing")
    seen.snapshot("after", mine, other, processes=[blocked])
    seen.end("accepted", "blocked", status=None)
    [finding] = seen.judged().reply.findings
    told = evidence(finding)
    assert "one#0 10.91.0.4:50000: late at step 2: 14 bytes are missing" in told
    assert "sent 14 B (1 messages), received 0 B (0 right replies)" in told
    assert (
        "one#0 10.91.0.4:50000: ESTABLISHED in the server's kernel, 14 bytes unread, "
        "seen for 2.0 s; descriptor 7 of process 14" in told
    )
    assert (
        "python3 (process 14) was in sendto on descriptor 8, "
        "the connection of never-reader#4 10.91.0.4:50004, for 2.0 s" in told
    )
    assert "its log: blocked" in told


def test_a_thread_that_runs_and_one_at_the_listener_are_told_apart() -> None:
    seen = Observed()
    seen.group("one")
    seen.failed("one#0", "late")
    two = process(14, thread(None), thread("accept4", tid=15, fd=3, since_s=None))
    seen.snapshot("after", processes=[two])
    seen.end()
    told = evidence(seen.judged().reply.findings[0])
    assert "python3 (process 14) was running (no system call)" in told
    assert "python3 (process 14, thread 15) was in accept4 on descriptor 3, the listener" in told
    assert "no socket for 10.91.0.4:50000 in the server's kernel" in told
    assert "its log is empty" in told


def test_a_long_list_is_cut_with_how_many_more() -> None:
    seen = Observed()
    seen.group("crowd", count=40)
    for k in range(40):
        seen.failed(f"crowd#{k}", "eof")
    seen.end()
    assert "… and 35 more connections" in evidence(seen.judged().reply.findings[0])


def test_wrong_bytes_say_where_and_what() -> None:
    seen = Observed()
    seen.group("one")
    seen.failed("one#0", "mismatch", at=1_024, expected="abc\\n", got="abd\\n")
    seen.end()
    told = evidence(seen.judged().reply.findings[0])
    assert "mismatch at step 2; at byte 1024 expected 'abc\\\\n', got 'abd\\\\n'" in told


def test_the_packets_of_the_connection_are_drawn() -> None:
    seen = Observed()
    seen.group("one")
    seen.failed("one#0", "reset")
    packets = [
        Packet(1.0, "in", *client(0), *SERVER, "SYN", 1, 0, 0, 64_000),
        Packet(1.2, "out", *SERVER, *client(0), "RST", 9, 2, 0, 0),
    ]
    seen.add(Packets(packets=packets), "probe")
    seen.end()
    told = evidence(seen.judged().reply.findings[0])
    assert "client 10.91.0.4:50000" in told
    assert "server 10.91.0.2:9000" in told
    assert "0.2000 │◀" in told


def test_a_script_that_never_came_to_its_end() -> None:
    seen = Observed()
    seen.group("one")
    seen.report("one#0", "running")
    seen.end()
    [finding] = seen.judged().reply.findings
    assert finding.cause == "no reply"
    assert "no end in time" in finding.summary
    assert "running at step 2 (waiting for 14 bytes)" in evidence(finding)


@pytest.mark.parametrize("kind", ["refused", "reset", "eof", "broken-pipe"])
def test_a_clear_refusal_is_served_where_it_is_allowed(kind: FailureKind) -> None:
    seen = Observed()
    seen.group("crowd", must="served-or-refused")
    seen.failed("crowd#0", kind)
    seen.end()
    assert seen.judged().level is Level.OK


def test_a_refusal_in_words_is_clear_at_the_first_byte_only() -> None:
    for at, level in ((0, Level.OK), (20, Level.FAILED)):
        seen = Observed()
        seen.group("crowd", must="served-or-refused")
        seen.failed("crowd#0", "mismatch", at=at, got="too many clients")
        seen.end()
        assert seen.judged().reply.level is level


@pytest.mark.parametrize("kind", ["late", "timed-out"])
def test_nobody_is_left_hanging_in_place_of_a_refusal(kind: FailureKind) -> None:
    seen = Observed()
    seen.group("crowd", must="served-or-refused")
    seen.failed("crowd#0", kind)
    seen.end()
    assert seen.judged().reply.level is Level.FAILED


@pytest.mark.parametrize(
    ("kind", "at", "level"),
    [
        ("late", 0, Level.OK),
        ("reset", 0, Level.OK),
        ("mismatch", 0, Level.OK),
        ("mismatch", 20, Level.FAILED),
    ],
)
def test_beyond_what_is_promised_clients_may_wait_or_be_refused_in_words(
    kind: FailureKind, at: int, level: Level
) -> None:
    seen = Observed()
    seen.group("crowd", must="in-turn-or-refused")
    seen.failed("crowd#0", kind, at=at, got="too many clients")
    seen.end()
    assert seen.judged().reply.level is level


def test_who_is_cut_off_by_the_scenario_is_owed_no_answer() -> None:
    seen = Observed()
    seen.group("victim", must="nothing", count=2)
    seen.failed("victim#0", "late")
    seen.report("victim#1", "running")
    seen.end()
    assert seen.judged().level is Level.OK


def test_wrong_bytes_are_wrong_for_whom_nothing_is_owed() -> None:
    seen = Observed()
    seen.group("victim", must="nothing")
    seen.failed("victim#0", "surplus")
    seen.end()
    assert seen.judged().reply.level is Level.FAILED


def test_who_failed_before_the_scenario_touched_it_was_not_served() -> None:
    seen = Observed()
    seen.group("victim", must="nothing")
    seen.add(Unready(group="victim", mark="ready", error="none of 1 reached ready"))
    seen.failed("victim#0", "eof")
    seen.add(NotShown(reason="mid-message: not seen to hold"))
    seen.end()
    judgement = seen.judged()
    assert judgement.reply.level is Level.FAILED, "it does not rest on what was not proven"
    assert judgement.cleanup.level is Level.UNKNOWN


@pytest.mark.parametrize("kind", ["reset", "broken-pipe"])
def test_an_end_by_reset_is_allowed_and_not_best(kind: FailureKind) -> None:
    seen = Observed()
    seen.group("over", must="ended", count=2)
    seen.failed("over#0", kind)
    seen.report("over#1", eof=101.0)
    seen.end()
    [finding] = seen.judged().reply.findings
    assert (finding.level, finding.cause) == (Level.NON_STRICT, "unkind end")
    assert finding.summary.startswith("1 of 2 connections of over were ended by a reset")


def test_an_end_that_was_expected_and_came_as_a_reset_is_not_best_either() -> None:
    seen = Observed()
    seen.group("over", must="ended")
    seen.report("over#0", reset=101.0)
    seen.end()
    assert seen.judged().reply.level is Level.NON_STRICT


@pytest.mark.parametrize("kind", ["reset", "broken-pipe"])
def test_a_reset_after_the_orderly_end_takes_nothing_away(kind: FailureKind) -> None:
    seen = Observed()
    seen.group("over", must="ended", count=2)
    report = seen.failed("over#0", kind)
    report.eof, report.reset = 100.0, 101.0
    seen.report("over#1", eof=100.0, reset=101.0)
    seen.end()
    assert seen.judged().reply.level is Level.OK


def test_an_end_must_not_take_away_the_replies_that_are_owed() -> None:
    for replies, level in ((2, Level.OK), (1, Level.FAILED)):
        seen = Observed()
        seen.group("over", must="ended", owed=2)
        seen.report("over#0", eof=101.0, replies=replies)
        seen.end()
        verdict = seen.judged().reply
        assert verdict.level is level
    assert verdict.findings[0].cause == "owed replies lost"


def test_replies_to_what_was_read_before_the_end_are_owed_to_each_by_itself() -> None:
    seen = Observed()
    seen.group("over", must="ended", owed=1)
    peers = [("10.91.0.3", 40_000 + k) for k in range(2)]
    for k, peer in enumerate(peers):
        seen.report(f"over#{k}", eof=101.0, replies=3, local=peer)
    seen.add(Owed(group="over", replies=[(peers[0], 3), (peers[1], 4)]))
    seen.end()
    (finding,) = seen.judged().reply.findings
    assert finding.summary.startswith("1 of 2 connections of over were ended and lost replies")


def test_who_is_still_waiting_has_lost_no_reply_to_an_end() -> None:
    seen = Observed()
    seen.group("over", must="ended", owed=2)
    seen.failed("over#0", "late", replies=1)
    seen.end()
    [finding] = seen.judged().reply.findings
    assert finding.cause == "no reply"
    assert finding.timed


def test_who_must_be_ended_and_is_not() -> None:
    seen = Observed()
    seen.group("over", must="ended")
    seen.failed("over#0", "late")
    seen.end()
    assert seen.judged().reply.level is Level.FAILED


def test_a_policy_is_reported_and_not_judged() -> None:
    seen = Observed()
    seen.add(Policy(of_what="a client beyond max_connections", seen="was reset"))
    seen.end()
    judgement = seen.judged()
    assert judgement.level is Level.INFORMATIONAL
    assert judgement.reply.findings[0].summary == "a client beyond max_connections was reset"
