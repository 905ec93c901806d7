"""The reply verdict on the subject's own life: second instances, restarts, ends, last words."""

from __future__ import annotations

import pytest

from iolab.harness.judge import Level
from iolab.harness.record.kinds import (
    Deaf,
    Death,
    Left,
    ListensOn,
    NotShown,
    Restart,
    SecondInstance,
    Survivors,
    Unstartable,
)
from tests.judge.playing import SERVER, Observed, client, listener, process


@pytest.mark.parametrize(
    ("status", "said", "words"),
    [
        (None, ["listening"], "runs beside the first"),
        (0, ["listening"], "status 0"),
        (1, [], "without a word"),
    ],
)
def test_a_second_instance_must_say_why_it_ends(
    status: int | None, said: list[str], words: str
) -> None:
    seen = Observed("lifecycle.address-in-use")
    seen.add(SecondInstance(status=status, said=said, listens=True))
    seen.end()
    [finding] = seen.judged().reply.findings
    assert finding.cause == "address in use"
    assert words in finding.summary


def test_a_second_instance_that_says_so_is_right() -> None:
    seen = Observed("lifecycle.address-in-use")
    seen.add(SecondInstance(status=1, said=["address already in use"], listens=False))
    seen.end()
    assert seen.judged().level is Level.OK


def test_a_second_instance_that_waits_for_the_port_does_not_run_beside_the_first() -> None:
    seen = Observed("lifecycle.address-in-use")
    seen.add(SecondInstance(status=None, said=[], listens=False))
    seen.end()
    [finding] = seen.judged().reply.findings
    assert finding.summary == (
        "a second instance goes on without the port, and neither serves nor ends"
    )


def test_who_listens_on_when_asked_to_stop_is_not_blamed_for_it() -> None:
    seen = Observed("lifecycle.sigterm")
    seen.add(ListensOn(held=True))
    seen.end()
    verdict = seen.judged().reply
    assert verdict.level is Level.NON_STRICT
    assert [finding.cause for finding in verdict.findings] == ["listens on"]


def test_a_restart_that_does_not_listen_names_who_holds_the_port() -> None:
    seen = Observed("lifecycle.restart")
    seen.add(Survivors(processes=[process(15)], listeners=[15]))
    seen.add(Restart(listening=False))
    seen.end("bind: address already in use")
    [finding] = seen.judged().reply.findings
    assert finding.cause == "does not start again"
    assert (
        "python3 (process 15) outlived the main process, and keeps its listener" in finding.evidence
    )
    assert "its log: bind: address already in use" in finding.evidence


def test_children_that_outlive_a_restart_are_found() -> None:
    seen = Observed("lifecycle.restart")
    seen.add(Survivors(processes=[process(15)], listeners=[15]))
    seen.add(Restart(listening=True))
    seen.end()
    assert seen.judged().reply.findings[0].cause == "children outlive it"


def test_children_without_the_listener_are_not_blamed() -> None:
    seen = Observed("lifecycle.restart")
    seen.add(Survivors(processes=[process(15)], listeners=[]))
    seen.add(Restart(listening=True))
    seen.end()
    assert seen.judged().level is Level.OK


class TestDeadServer:
    """A server that is gone is one finding, whatever was still owed."""

    def seen(self, status: int) -> Observed:
        seen = Observed()
        seen.group("one", count=2)
        seen.failed("one#0", "eof")
        seen.failed("one#1", "refused")
        seen.removal(client(0), held=False)
        seen.add(Death(status=status))
        seen.end("Traceback …", "BrokenPipeError", status=status)
        return seen

    def test_it_is_one_finding_with_its_status_and_last_words(self) -> None:
        judgement = self.seen(1).judged()
        [finding] = judgement.reply.findings
        assert (finding.level, finding.cause) == (Level.FAILED, "died")
        assert finding.summary == "the server ended by itself: exit status 1"
        assert finding.evidence == ("its log: Traceback …", "its log: BrokenPipeError")
        assert judgement.cleanup.level is Level.UNKNOWN

    def test_a_signal_is_named(self) -> None:
        finding = self.seen(-13).judged().reply.findings[0]
        assert finding.summary.endswith("killed by SIGPIPE")

    def test_no_doubt_excuses_a_death(self) -> None:
        seen = self.seen(1)
        seen.late(3.0)
        seen.add(NotShown(reason="drop: no packet was taken (0 matched)"))
        assert seen.judged().reply.level is Level.FAILED

    def test_wrong_bytes_are_a_finding_beside_it(self) -> None:
        seen = self.seen(1)
        seen.group("two")
        seen.failed("two#0", "mismatch")
        assert [f.cause for f in seen.judged().reply.findings] == ["died", "wrong bytes"]

    def test_one_that_never_listened_says_where_it_does(self) -> None:
        seen = Observed()
        seen.snapshot("last", sockets=[listener(local=("127.0.0.1", 9001))])
        seen.add(Deaf(within_s=10.0, port=9000, elsewhere=False))
        seen.end("ready on 9001")
        [finding] = seen.judged().reply.findings
        assert finding.summary == "it did not listen on port 9000 within 10 s"
        assert finding.evidence[0] == "it listens 127.0.0.1:9001"
        assert finding.evidence[-1] == "its log: ready on 9001"

    def test_one_whose_command_cannot_be_started(self) -> None:
        seen = Observed()
        seen.add(Unstartable(error="no-such cannot be started: No such file or directory"))
        seen.end()
        judgement = seen.judged()
        [finding] = judgement.reply.findings
        assert finding.cause == "does not start"
        assert finding.summary.startswith("its command cannot be started: no-such ")
        assert judgement.cleanup.level is Level.UNKNOWN

    def test_one_that_listens_where_nobody_comes_to_says_where(self) -> None:
        seen = Observed()
        seen.snapshot("last", sockets=[listener(local=("127.0.0.1", 9000))])
        seen.add(Deaf(within_s=1.0, port=9000, elsewhere=True))
        seen.end()
        [finding] = seen.judged().reply.findings
        assert finding.summary == (
            "it listens where no client comes to: 127.0.0.1:9000, not 10.91.0.2:9000"
        )


class TestInTheBackground:
    """Its command has ended as if all were well, and its children serve on."""

    def seen(self, status: int, *left: Left) -> Observed:
        seen = Observed()
        seen.group("one")
        seen.failed("one#0", "eof")
        seen.add(Death(status=status, left=left))
        seen.end("ready", status=status)
        return seen

    def test_who_goes_on_and_where_it_listens(self) -> None:
        child = Left(pid=7, name="python3", listens=[SERVER])
        helper = Left(pid=6, name="sleep", listens=[])
        judgement = self.seen(0, helper, child).judged()
        [finding] = judgement.reply.findings
        assert (finding.level, finding.cause) == (Level.FAILED, "in the background")
        assert finding.summary == (
            "its command ended with exit status 0, and python3 (process 7) and 1 more, which it "
            "started, go on and listen on 10.91.0.2:9000"
        )
        assert judgement.cleanup.level is Level.UNKNOWN

    def test_one_that_does_not_listen(self) -> None:
        [finding] = self.seen(0, Left(pid=6, name="sh", listens=[])).judged().reply.findings
        assert finding.summary.endswith(
            "sh (process 6), which it started, goes on without listening"
        )

    def test_an_end_in_failure_is_a_death(self) -> None:
        [finding] = self.seen(1, Left(pid=6, name="sh", listens=[])).judged().reply.findings
        assert finding.cause == "died"
        assert finding.evidence == ("its log: ready", "sh (process 6), which it started, goes on")


def test_a_log_has_no_power_over_the_terminal() -> None:
    seen = Observed()
    seen.add(Death(status=1))
    seen.end("\x1b[2J red \x9b1m \udcff", "空山 — ñ", status=1)
    assert seen.judged().reply.findings[0].evidence == (
        "its log: \\x1b[2J red \\x9b1m \\udcff",
        "its log: 空山 — ñ",
    )
