"""What a subject cannot do by its nature: what may be stated, and that it is asserted exactly."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from iolab.harness.errors import UsageError
from iolab.harness.judge import Finding, Level
from iolab.harness.report.outcome import Outcome
from iolab.harness.run.options import model
from iolab.harness.run.runner import conclude
from iolab.harness.run.stage import Stage
from iolab.harness.scenarios.nature import check_nature
from iolab.harness.subject.manifest import load
from iolab.harness.subject.nature import Nature
from tests.harness.broken import of_the_catalogue, play
from tests.harness.reports import DOUBT, LEAK, MINE, Run, attempt, outcome, playing

STALL = Finding("reply", Level.FAILED, "stalled", "a healthy client waited 2.0 s for its answer")
MAY_NOT = "may not be listed: to serve one client, and to let it go, is in every nature"


def of_one_that_is_slow(*findings: Finding, id: str = "slow.sender") -> Outcome:
    """Of a subject whose manifest states one failure."""
    nature = Nature({"slow.sender": ("reply", "one at a time")})
    return outcome(attempt(*findings), of=playing(id, subject=replace(MINE, nature=nature)))


class TestManifest:
    def write(self, folder: Path, label: str) -> Path:
        path = folder / "mine.toml"
        path.write_text(
            'name = "mine"\nport = 9000\ncommand = ["server"]\n'
            f'[nature.fails]\n"{label}" = "reply: one at a time"\n'
        )
        return path

    @pytest.mark.parametrize(
        ("label", "told"),
        [
            ("connect.one", MAY_NOT),
            ("reply.utf8-split", MAY_NOT),
            ("reply.sizes", MAY_NOT),
            ("connect.one quiet", "is not in the catalogue"),
            ("slow.sendr", "is not in the catalogue"),
            ("slow.sender quiet", "is not in the catalogue"),
            ("slow.crowd/7", "has no such case; there are: 200, 900"),
            ("slow.sender/", "has no such case; there are: none"),
        ],
    )
    def test_what_may_not_be_stated(self, label: str, told: str, tmp_path: Path) -> None:
        path = self.write(tmp_path, label)
        with pytest.raises(UsageError) as error:
            check_nature(load(path))
        assert str(error.value).startswith(f'{path}: nature.fails."{label}": {told}')
        assert "\n" not in str(error.value)

    @pytest.mark.parametrize("label", ["slow.sender", "slow.crowd/900", "slow.reader quiet"])
    def test_what_may(self, label: str, tmp_path: Path) -> None:
        subject = load(self.write(tmp_path, label))
        check_nature(subject)
        fails = subject.nature.fails
        assert fails == {label: ("reply", "one at a time")}


class TestConclusion:
    def test_what_was_stated_leaves_the_exit_status_alone_and_is_called_so(self) -> None:
        ended = of_one_that_is_slow(STALL)
        conclude(ended)
        told = ended.result()
        assert (told.reply, told.cleanup, told.passed) == ("FAILED (by nature)", "OK", True)
        run = Run()
        run.reported(told)
        assert STALL.summary in run.told()

    def test_that_it_passes_is_an_error(self) -> None:
        with pytest.raises(pytest.fail.Exception, match=r"passed, yet .* fails by nature: one at"):
            conclude(of_one_that_is_slow())
        told = of_one_that_is_slow().result()
        assert (told.reply, told.passed) == ("OK", False)
        assert "it passed, yet" in told.findings[0].summary

    def test_the_other_verdict_is_not_excused(self) -> None:
        with pytest.raises(pytest.fail.Exception, match="CLOSE-WAIT"):
            conclude(of_one_that_is_slow(STALL, LEAK))

    def test_unknown_is_no_failure_by_nature(self) -> None:
        with pytest.raises(pytest.fail.Exception, match="harness too slow"):
            conclude(of_one_that_is_slow(DOUBT))

    def test_another_scenario_is_not_excused(self) -> None:
        with pytest.raises(pytest.fail.Exception, match="stalled"):
            conclude(of_one_that_is_slow(STALL, id="slow.crowd"))


class TestModels:
    def test_who_serves_one_at_a_time_keeps_the_next_one_waiting(self, stage: Stage) -> None:
        ended = play(stage, of_the_catalogue("slow.sender"), model("blocking"))
        conclude(ended)
        [found] = ended.judgement.reply.findings
        assert found.cause == "stalled"
        assert any("the connection of slow#0" in line for line in found.evidence), found.evidence
        assert ended.judgement.cleanup.level is Level.OK

    def test_who_promises_one_at_a_time_and_states_no_more_is_not_blamed(
        self, stage: Stage
    ) -> None:
        subject = replace(model("blocking"), nature=Nature())
        ended = play(stage, of_the_catalogue("slow.sender"), subject)
        assert ended.judgement.level is Level.OK, ended.judgement

    def test_who_asks_again_and_again_does_not_rest(self, stage: Stage) -> None:
        ended = play(stage, of_the_catalogue("resource.idle-cpu"), model("nonblocking"))
        conclude(ended)
        assert {found.cause for found in ended.judgement.cleanup.findings} == {"spins"}

    def test_who_rests_and_states_that_it_does_not_is_an_error(self, stage: Stage) -> None:
        nature = Nature({"resource.idle-cpu": ("cleanup", "never rests")})
        ended = play(
            stage, of_the_catalogue("resource.idle-cpu"), replace(model("epoll"), nature=nature)
        )
        with pytest.raises(pytest.fail.Exception, match="fails by nature: never rests"):
            conclude(ended)
