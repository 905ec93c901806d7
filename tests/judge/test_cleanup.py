"""The cleanup verdict: dead sockets by identity, what is left after a round, the server's end."""

from __future__ import annotations

from typing import Any

import pytest

from iolab.harness.judge import Finding, Judgement, Level, words
from iolab.harness.judge.scene import Scene
from iolab.harness.record.kinds import Afterwards, Calm, Growth, NotShown, Stop
from iolab.harness.record.probe import Row
from tests.judge.playing import (
    LISTENER,
    Observed,
    client,
    evidence,
    listener,
    process,
    row,
    thread,
)


def finding_of(seen: Observed) -> Finding:
    """The only finding, which is on cleanup."""
    seen.end()
    judgement = seen.judged()
    [finding] = judgement.cleanup.findings
    assert judgement.reply.findings == ()
    return finding


def not_removed(*rows: Row, inodes: tuple[int, ...] = (), **fields: Any) -> Finding:
    """The finding on one dead connection, where the probe saw these rows last."""
    seen = Observed()
    seen.group("victim", must="nothing")
    seen.report("victim#0")
    seen.trigger("victim")
    seen.snapshot("last", *rows, **fields)
    seen.removal(client(0), held=False, inodes=inodes)
    return finding_of(seen)


class TestRemoval:
    def test_what_is_gone_in_time_is_fine(self) -> None:
        seen = Observed()
        seen.removal(client(0), held=True)
        seen.end()
        assert seen.judged().level is Level.OK

    def test_close_wait_is_told_with_queues_age_and_descriptor(self) -> None:
        finding = not_removed(row(client(0), "CLOSE-WAIT", recv_q=1, send_q=300, age_s=3.2))
        assert (finding.level, finding.cause) == (Level.FAILED, "CLOSE-WAIT")
        assert finding.summary == (
            "1 of 1 dead connections were not removed within 1.0 s (at once)"
        )
        assert (
            "victim#0 10.91.0.4:50000: CLOSE-WAIT in the server's kernel, 1 bytes unread and "
            "300 bytes unsent, seen for 3.2 s; descriptor 7 of process 14"
        ) in finding.evidence

    def test_a_dead_socket_is_known_by_its_inode(self) -> None:
        leaky = process(fds={"3": f"socket:[{LISTENER}]", "9": "socket:[1234]"})
        finding = not_removed(inodes=(1234,), processes=[leaky])
        assert finding.cause == "descriptor leaked"
        assert "its socket 1234 is dead, yet descriptor 9 of process 14 still holds it" in evidence(
            finding
        )

    def test_one_socket_is_told_once(self) -> None:
        leaky = process(fds={"7": "socket:[1000]"})
        finding = not_removed(row(client(0), "CLOSE-WAIT"), inodes=(1_000,), processes=[leaky])
        assert finding.summary.startswith("1 of 1 ")

    def test_one_that_was_never_accepted(self) -> None:
        finding = not_removed(row(client(0), "CLOSE-WAIT", inode=0, owners=[]))
        assert finding.cause == "never accepted"
        assert "; never accepted" in evidence(finding)

    def test_one_that_lives_on(self) -> None:
        assert not_removed(row(client(0))).cause == "not removed"

    @pytest.mark.parametrize(
        ("fields", "cause"),
        [
            ({}, "not removed"),
            ({"inode": 0, "owners": []}, "never accepted"),
        ],
    )
    def test_a_name_is_no_cause(self, fields: dict[str, Any], cause: str) -> None:
        for name in ("CLOSE-WAIT-asker", "never accepted", "is dead, yet descriptor"):
            seen = Observed()
            seen.group(name, must="nothing")
            seen.report(f"{name}#0")
            seen.snapshot("last", row(client(0), **fields))
            seen.removal(client(0), held=False)
            finding = finding_of(seen)
            assert f"{name}#0 10.91.0.4:50000: ESTABLISHED" in evidence(finding)
            assert finding.cause == cause

    def test_what_the_threads_were_doing(self) -> None:
        blocked = process(14, thread("sendto", fd=7, since_s=2.0))
        finding = not_removed(row(client(0)), processes=[blocked])
        assert (
            "was in sendto on descriptor 7, the connection of victim#0 10.91.0.4:50000, for 2.0 s"
            in evidence(finding)
        )

    def test_a_leak_is_not_reported_once_more_as_left_over(self) -> None:
        seen = Observed()
        dead = row(client(0), "CLOSE-WAIT")
        seen.snapshot("last", dead)
        seen.removal(client(0), held=False)
        seen.snapshot("round 1", dead)
        seen.settled(held=False)
        finding_of(seen)

    def test_a_removal_is_a_measured_time_and_rests_on_the_circumstance(self) -> None:
        for doubt in ("late", "unproven"):
            seen = Observed()
            seen.snapshot("last", row(client(0), "CLOSE-WAIT"))
            seen.removal(client(0), held=False)
            if doubt == "late":
                seen.late(0.3)
            else:
                seen.add(NotShown(reason="drop: no packet was taken"))
            seen.end()
            verdict = seen.judged().cleanup
            assert verdict.level is Level.UNKNOWN
            assert "CLOSE-WAIT in the server's kernel" in evidence(verdict.findings[0])


class TestLeftOver:
    def left(self, *rows: Row, **fields: Any) -> Observed:
        seen = Observed()
        seen.group("one")
        seen.report("one#0")
        seen.snapshot("round 1", *rows, **fields)
        seen.settled(held=False)
        return seen

    def test_a_socket_that_was_not_there_before(self) -> None:
        finding = finding_of(self.left(row(client(0), "CLOSE-WAIT")))
        assert finding.cause == "CLOSE-WAIT"
        assert finding.summary == "1 sockets are left after round 1, not there before"
        assert "one#0 10.91.0.4:50000: CLOSE-WAIT" in evidence(finding)

    def test_a_descriptor_without_a_socket(self) -> None:
        leaky = process(fds={"3": f"socket:[{LISTENER}]", "9": "socket:[1234]"})
        finding = finding_of(self.left(processes=[leaky]))
        assert finding.cause == "descriptor leaked"

    @pytest.mark.parametrize("state", ["TIME-WAIT", "FIN-WAIT-2", "LAST-ACK", "FIN-WAIT-1"])
    def test_what_the_kernel_alone_holds_is_no_leak(self, state: str) -> None:
        seen = self.left(row(client(0), state, inode=0, owners=[]))
        seen.end()
        assert seen.judged().level is Level.OK

    def test_neither_are_sockets_of_other_kinds(self) -> None:
        talking = process(fds={"3": f"socket:[{LISTENER}]", "5": "socket:[77]"})
        seen = self.left(processes=[talking], other_sockets=[77])
        seen.end()
        assert seen.judged().level is Level.OK

    def test_what_was_there_before_is_not_blamed(self) -> None:
        seen = Observed()
        peer = ("10.91.0.3", 40_000)
        holder = row(peer, inode=55)
        known = process(fds={"3": f"socket:[{LISTENER}]", "5": "socket:[55]"})
        seen.snapshot("round 1", holder, processes=[known])
        seen.settled(held=False, peers=(peer,), inodes=(LISTENER, 55))
        seen.end()
        assert seen.judged().level is Level.OK

    def test_not_even_a_dead_socket_that_was_there_before(self) -> None:
        seen = Observed()
        seen.snapshot("round 1", processes=[process(fds={"5": "socket:[55]"})])
        seen.settled(held=False, inodes=(LISTENER, 55))
        seen.end()
        assert seen.judged().level is Level.OK


class TestCalm:
    def test_a_server_that_spins_after_the_scenario(self) -> None:
        seen = Observed()
        seen.add(Calm(when="before the scenario", held=True))
        seen.snapshot("last", processes=[process(14, thread(None))])
        seen.add(Calm(when="after round 1", held=False, seen="0.98 of a CPU over 0.2 s"))
        finding = finding_of(seen)
        assert finding.cause == "spins"
        assert "(after round 1)" in finding.summary
        assert finding.evidence[0] == "0.98 of a CPU over 0.2 s"
        assert "was running (no system call)" in evidence(finding)

    def test_a_listener_that_cannot_take_who_waits_is_always_ready(self) -> None:
        seen = Observed()
        seen.add(Calm(when="before the scenario", held=True))
        waiting = listener(recv_q=7)
        seen.snapshot("last", sockets=[waiting], processes=[process(14, thread(None))])
        seen.add(Calm(when="with no descriptor free", held=False, seen="0.98 of a CPU"))
        told = evidence(finding_of(seen))
        assert "always ready: the listener on 10.91.0.2:9000, and 7 wait in its queue" in told
        assert "no connection has input" not in told

    def restless(self, names_restless: bool = False) -> Level:
        seen = Observed(names_restless=names_restless)
        seen.add(Calm(when="before the scenario", held=False, seen="1.0 of a CPU"))
        seen.end()
        return seen.judged().cleanup.level

    def test_one_that_never_rests_is_named_by_one_scenario_only(self) -> None:
        assert self.restless() is Level.OK
        assert self.restless(names_restless=True) is Level.FAILED

    def test_a_late_probe_cannot_say_so(self) -> None:
        seen = Observed()
        seen.add(Calm(when="before the scenario", held=True))
        seen.add(Calm(when="after round 1", held=False, seen="0.98 of a CPU"))
        seen.late(0.5)
        seen.end()
        assert seen.judged().cleanup.level is Level.UNKNOWN


class TestStop:
    def stopped(self, status: int | None, allowed: list[int] | None) -> Observed:
        seen = Observed("lifecycle.sigterm")
        seen.snapshot("stopped", processes=[process(14, thread("futex", since_s=3.0))])
        seen.add(Stop(status=status, within_s=3.0, asked="SIGTERM", allowed=allowed))
        seen.end("stopping", status=status)
        return seen

    def test_an_end_as_promised(self) -> None:
        assert self.stopped(0, [0]).judged().level is Level.OK
        assert self.stopped(-9, None).judged().level is Level.OK

    def test_one_that_runs_on(self) -> None:
        [finding] = self.stopped(None, [0]).judged().cleanup.findings
        assert finding.cause == "does not stop"
        assert finding.summary == "it still runs 3.0 s after SIGTERM"
        assert "was in futex, for 3.0 s" in evidence(finding)
        assert "its log: stopping" in finding.evidence

    def test_one_that_runs_on_with_nothing_open(self) -> None:
        seen = Observed("lifecycle.sigterm")
        seen.snapshot("stopped", sockets=[], processes=[process(14, thread("futex", since_s=3.0))])
        seen.add(Stop(status=None, within_s=3.0, asked="SIGTERM", allowed=[0]))
        seen.end()
        [finding] = seen.judged().cleanup.findings
        assert finding.evidence[0] == (
            "it has closed all its sockets: what its threads wait for keeps it"
        )
        assert "was in futex, for 3.0 s" in evidence(finding)

    def test_one_that_runs_on_says_who_is_still_connected(self) -> None:
        seen = Observed("lifecycle.sigterm-busy")
        seen.snapshot("stopped", row(client()))
        seen.add(Stop(status=None, within_s=3.0, asked="SIGTERM", allowed=[0]))
        seen.end()
        [finding] = seen.judged().cleanup.findings
        assert "it still listens on 10.91.0.2:9000" in finding.evidence
        assert any(
            line.startswith("not closed: 10.91.0.4:50000: ESTABLISHED") for line in finding.evidence
        )

    @pytest.mark.parametrize(
        ("status", "words"), [(1, "exit status 1"), (-15, "killed by SIGTERM"), (-50, "signal 50")]
    )
    def test_a_wrong_status(self, status: int, words: str) -> None:
        [finding] = self.stopped(status, [0]).judged().cleanup.findings
        assert finding.cause == "exit status"
        assert words in finding.summary
        assert "expected exit status 0" in finding.summary

    def test_a_status_is_no_matter_of_time(self) -> None:
        seen = self.stopped(1, [0])
        seen.late(2.0)
        assert seen.judged().cleanup.level is Level.FAILED


def test_memory_over_its_bound() -> None:
    seen = Observed("slow.never-reader")
    mib = 1 << 20

    def grows(grown: int) -> None:
        seen.add(
            Growth(
                before=12 * mib, grown=grown, offered=256 * mib, allowed=64 * mib, how="in floods"
            )
        )

    grows(64 * mib)
    seen.end()
    assert seen.judged().level is Level.OK
    grows(200 * mib)
    seen.late(2.0)
    [finding] = seen.judged().cleanup.findings
    assert (finding.level, finding.cause) == (Level.FAILED, "memory unbounded")
    assert finding.summary == (
        "resident memory grew by 200 MiB while 256 MiB were offered (allowed: 64 MiB)"
    )
    assert finding.evidence == ("at first 12 MiB, in floods",)


def test_a_listener_is_never_a_leftover() -> None:
    seen = Observed()
    seen.snapshot("round 1", listener())
    seen.settled(held=False)
    seen.end()
    assert seen.judged().level is Level.OK


@pytest.mark.parametrize(
    ("state", "told"),
    [("CLOSE-WAIT", "never accepted"), ("TIME-WAIT", "closed by the server")],
)
def test_what_no_process_holds_was_never_accepted_or_is_closed(state: str, told: str) -> None:
    lost = row(("10.0.0.9", 1), state, inode=0, owners=[], age_s=None)
    scene = Scene.of(Observed().records)
    assert words.socket(scene, lost) == f"10.0.0.9:1: {state} in the server's kernel; {told}"


def removed_late(queued_s: float, held: bool = True) -> Judgement:
    """Gone only after its time, in which the subject waited for so long for a CPU."""
    seen = Observed()
    seen.group("one")
    seen.report("one#0")
    first = seen.snapshot("not yet", row(client(0)), processes=[process(queued_s=0.0, cpu_s=0.0)])
    seen.t += 0.9
    last = seen.snapshot("late", processes=[process(queued_s=queued_s, cpu_s=0.1)])
    late = Afterwards(held=held, looks=(first.t, last.t))
    seen.removal(client(0), held=False, late=late)
    seen.end()
    return seen.judged()


def test_what_was_removed_late_is_shown_as_it_was_when_its_time_was_over() -> None:
    [finding] = removed_late(0.0).cleanup.findings
    assert finding.summary.startswith("1 of 1 dead connections were not removed")
    assert "one#0 10.91.0.4:50000: ESTABLISHED" in finding.evidence[0]


def test_what_was_removed_late_for_want_of_a_cpu_is_not_late() -> None:
    assert removed_late(0.8).cleanup.level is Level.OK


def test_want_of_a_cpu_does_not_excuse_what_stays() -> None:
    assert removed_late(0.8, held=False).cleanup.level is Level.FAILED
