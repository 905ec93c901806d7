"""How often a playing is tried, and subjects with which no scenario can begin."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from pathlib import Path

import pytest

from iolab.harness.backends import choose, identity
from iolab.harness.judge import Finding, Level, judge
from iolab.harness.lab.fault import Unproven
from iolab.harness.lab.lab import Lab
from iolab.harness.lab.steps import ask, close, connect, expect, hang, send
from iolab.harness.places import ROOT
from iolab.harness.record.agent import Reports
from iolab.harness.record.lines import load
from iolab.harness.report.outcome import Outcome
from iolab.harness.run.stage import Stage
from iolab.harness.scenarios.playing import Playing
from iolab.harness.scenarios.scenario import NO_CASE
from iolab.harness.subject.manifest import Subject
from iolab.harness.subject.manifest import load as manifest
from tests.harness.broken import judged_in_time, made_of, of_the_catalogue, play, script

LISTENS = """
listener = socket.create_server((HOST, PORT), reuse_port=False)
"""

# No verdict on a subject that does not come up may take longer.
QUICK_S = 10.0


def levels(outcome: Outcome) -> list[Level]:
    return [attempt.level for attempt in outcome.attempts]


def one(lab: Lab) -> None:
    lab.play("one", connect(), ask("hello"), close()).ended()


def unanswered(lab: Lab) -> None:
    """The subject is asked for what it does not do."""
    lab.play(
        "one",
        connect(),
        send("half", newline=False, unanswered=True),
        expect(bytes=1, within_s=0.1),
    ).ended()


def wrong(lab: Lab) -> None:
    """The same, and no machine is so slow that it could be in doubt."""
    hello = send("hello", unanswered=True)
    lab.play("one", connect(), hello, expect(text="goodbye\n"), must="served").ended()


def late_by(lab: Lab, seconds: float) -> None:
    """An agent is starved for so long, by another's clock."""
    lab.play("starved", connect(), hang(mark="there"), must="nothing", client="starved")
    process = lab.client("starved").process
    process.signal("SIGSTOP")
    lab.let_pass(seconds)
    process.signal("SIGCONT")


class TestAttempts:
    def test_a_pass_is_played_once(self, stage: Stage) -> None:
        outcome = play(stage, made_of(one))
        assert levels(outcome) == [Level.OK], outcome.judgement

    def test_a_failure_is_never_played_again(self, stage: Stage) -> None:
        outcome = play(stage, made_of(wrong))
        assert levels(outcome) == [Level.FAILED], outcome.judgement

    def test_unknown_is_played_twice_more_and_all_is_on_record(self, stage: Stage) -> None:
        played: list[int] = []

        def body(lab: Lab) -> None:
            played.append(len(played))
            raise Unproven(f"number {len(played)}")

        outcome = play(stage, made_of(body))
        assert levels(outcome) == [Level.UNKNOWN] * 3
        assert len(played) == len(set(outcome.files)) == 3
        for number, (path, attempt) in enumerate(
            zip(outcome.files, outcome.attempts, strict=True), start=1
        ):
            assert judge(load(path)) == attempt
            # The gravest comes first; a busy machine may add that some loop was late.
            assert attempt.doubts[0] == f"the fault was not seen: number {number}"

    def test_the_first_that_is_known_counts(self, stage: Stage) -> None:
        played: list[None] = []

        def body(lab: Lab) -> None:
            played.append(None)
            if len(played) == 1:
                raise Unproven("not this time")
            one(lab)

        outcome = play(stage, made_of(body))
        assert levels(outcome) == [Level.UNKNOWN, Level.OK], outcome.judgement
        assert outcome.judgement is outcome.attempts[-1]

    def test_a_late_harness_does_not_blame(self, stage: Stage) -> None:
        played: list[None] = []

        def body(lab: Lab) -> None:
            played.append(None)
            if len(played) == 1:
                late_by(lab, 0.4)
            unanswered(lab)

        outcome = play(stage, made_of(body))
        first, *others = outcome.attempts
        assert first.level is Level.UNKNOWN
        assert any("too slow: the starved's own loop was " in doubt for doubt in first.doubts)
        # A busy machine may put the next one in doubt as well, for reasons of its own.
        assert others
        assert {judged_in_time(file).level for file in outcome.files} == {Level.FAILED}

    def test_a_late_harness_still_sees_a_pass(self, stage: Stage) -> None:
        def body(lab: Lab) -> None:
            late_by(lab, 0.4)
            one(lab)

        outcome = play(stage, made_of(body))
        assert levels(outcome) == [Level.OK]
        assert outcome.judgement.doubts


def test_a_saved_playing_is_judged_as_it_was(stage: Stage) -> None:
    leaks = manifest(ROOT / "gallery" / "forgets_close_after_reset.toml")
    outcome = play(stage, of_the_catalogue("disconnect.rst-idle"), leaks)
    assert outcome.judgement.cleanup.level is Level.FAILED
    assert judge(load(outcome.files[0])) == outcome.judgement


# It listens, and hands its work on to a process that goes on without it.
DAEMON = """
import os
listener = socket.create_server((HOST, PORT))
hears, tells = os.pipe()
if os.fork():
    os.close(tells)
    {first}
    os._exit(0)
while True:
    client, _ = listener.accept()
    if tells:
        os.close(tells)
        tells = 0
    if os.fork() == 0:
        for line in client.makefile("rb"):
            client.sendall(line)
        os._exit(0)
    client.close()
"""


class TestInTheBackground:
    """A server that leaves the foreground is told so, once, and nothing else is said of it."""

    def finding(self, stage: Stage, subject: Subject) -> Finding:
        outcome = play(stage, of_the_catalogue("connect.one"), subject)
        assert levels(outcome) == [Level.FAILED], outcome.judgement
        [reply], [cleanup] = outcome.judgement.reply.findings, outcome.judgement.cleanup.findings
        assert (reply.level, cleanup.level) == (Level.FAILED, Level.UNKNOWN)
        assert reply.cause == cleanup.cause == "in the background"
        assert any("foreground" in line and "`exec`" in line for line in reply.evidence)
        return reply

    @pytest.mark.parametrize(
        "first", ["pass", "os.read(hears, 1)"], ids=["at-once", "when-it-serves"]
    )
    def test_a_daemon(self, first: str, stage: Stage, tmp_path: Path) -> None:
        finding = self.finding(stage, script(tmp_path, DAEMON.format(first=first)))
        assert re.fullmatch(
            r"its command ended with exit status 0, and python3 \(process \d+\), which it "
            r"started, goes on and listens on [0-9.]+:\d+",
            finding.summary,
        )

    def test_a_shell_that_does_not_wait(self, stage: Stage, tmp_path: Path) -> None:
        """The same, of what listens only when the command has ended already."""
        late = "import signal, time; time.sleep(0.3); s = socket.create_server((HOST, PORT));"
        subject = script(tmp_path, late + "signal.pause()")
        words = ("sh", "-c", 'python3 subject.py "$@" &', "sh", "{host}", "{port}")
        finding = self.finding(stage, replace(subject, command=words))
        assert "goes on and listens on" in finding.summary

    def test_a_daemon_without_namespaces(self, tmp_path: Path) -> None:
        backend = choose.backend("processes", identity.new_id())
        backend.check()
        try:
            backend.prepare()
            subject = script(tmp_path, DAEMON.format(first="pass"))
            assert "listens on" in self.finding(Stage(backend, tmp_path), subject).summary
        finally:
            backend.close()

    def test_what_a_dead_server_left_is_told_beside_its_death(
        self, stage: Stage, tmp_path: Path
    ) -> None:
        left = "import os, time\nif os.fork() == 0: time.sleep(1000)\nsys.exit('no such database')"
        outcome = play(stage, of_the_catalogue("connect.one"), script(tmp_path, left))
        [finding] = outcome.judgement.reply.findings
        assert finding.cause == "does not start"
        assert finding.evidence[0] == "its log: no such database"
        assert finding.evidence[1].endswith(", which it started, goes on")


class TestSubjectsThatDoNotComeUp:
    def finding(self, stage: Stage, subject: Subject) -> Finding:
        """The only one that is FAILED, and it came quickly."""
        begun = time.monotonic()
        outcome = play(stage, of_the_catalogue("connect.one"), subject)
        assert time.monotonic() - begun < QUICK_S
        assert levels(outcome) == [Level.FAILED], outcome.judgement
        assert outcome.judgement.cleanup.level is Level.UNKNOWN, "nothing was to be seen of it"
        [finding] = [f for f in outcome.judgement.findings if f.level is Level.FAILED]
        return finding

    def test_one_that_dies_at_its_start(self, stage: Stage, tmp_path: Path) -> None:
        finding = self.finding(stage, script(tmp_path, "sys.exit('no such database')"))
        assert finding.summary == "the server ended by itself: exit status 1"
        assert finding.cause == "does not start"
        assert finding.evidence == ("its log: no such database",)

    def test_one_whose_program_is_not_there(self, stage: Stage, tmp_path: Path) -> None:
        subject = replace(script(tmp_path, ""), command=("no-such-program", "{port}"))
        finding = self.finding(stage, subject)
        assert finding.cause in ("died", "does not start")
        assert "no-such-program" in "\n".join((finding.summary, *finding.evidence))

    def test_one_whose_files_are_not_where_it_runs(self, stage: Stage, tmp_path: Path) -> None:
        (tmp_path / "server.py").write_text("")
        path = tmp_path / "mine.toml"
        path.write_text('name = "mine"\nport = 9000\ncommand = ["python3", "server.py"]\n')
        finding = self.finding(stage, manifest(path))
        assert finding.evidence[0] == (
            f"server.py is not there: the command runs in the folder {ROOT}, because the manifest "
            'has no `files`; give files = "." for the folder of the manifest'
        )

    def test_one_that_never_listens(self, stage: Stage, tmp_path: Path) -> None:
        waits = script(tmp_path, "print('warming up', flush=True); import signal; signal.pause()")
        finding = self.finding(stage, replace(waits, start_s=1.0))
        assert re.fullmatch(r"it did not listen on port \d+ within 1 s", finding.summary)
        assert finding.evidence[0] == "it listens nowhere"
        assert "its log: warming up" in finding.evidence
        assert any("was in" in line for line in finding.evidence)

    def test_one_that_listens_on_another_port(self, stage: Stage, tmp_path: Path) -> None:
        code = "s = socket.create_server((HOST, 0)); import signal; signal.pause()"
        finding = self.finding(stage, replace(script(tmp_path, code), start_s=1.0))
        assert finding.cause == "not listening"
        assert finding.evidence[0] != "it listens nowhere"

    def test_one_that_does_not_listen_in_the_family_asked_for(
        self, stage: Stage, tmp_path: Path
    ) -> None:
        code = "s = socket.create_server(('0.0.0.0', PORT)); import signal; signal.pause()"
        subject = replace(script(tmp_path, code), start_s=1.0)
        outcome = stage.play(Playing(of_the_catalogue("connect.one"), subject, 6, NO_CASE, False))
        [finding] = outcome.judgement.reply.findings
        assert re.match(
            r"it listens where no client comes to: 0\.0\.0\.0:\d+, not \[", finding.summary
        )

    def test_one_that_listens_on_loopback_only(self, stage: Stage, tmp_path: Path) -> None:
        if stage.backend.name == "processes":
            pytest.skip("its clients are on the loopback device as well")
        code = "s = socket.create_server(('127.0.0.1', PORT)); import signal; signal.pause()"
        finding = self.finding(stage, replace(script(tmp_path, code), start_s=1.0))
        assert finding.summary.startswith(
            "it listens where no client comes to: 127.0.0.1:9000, not "
        )


def test_a_dead_agent_takes_no_report_of_another_along(stage: Stage) -> None:
    def body(lab: Lab) -> None:
        for name in ("doomed", "other"):
            lab.play(name, connect(), ask("hello"), hang(mark="asked"), client=name)
            assert lab.groups[name].reached("asked")
        lab.client("doomed").process.signal("SIGKILL")
        assert lab.client("doomed").process.wait(5.0) is not None

    outcome = play(stage, made_of(body))
    reports = {
        report.connection
        for record in load(outcome.files[0])
        if isinstance(record, Reports) and record.source == "other"
        for report in record.connections
    }
    assert reports == {"other#0"}
