"""What counts as caught, and what as blamed."""

from __future__ import annotations

from typing import Any

import pytest

from iolab.harness.judge import Level
from iolab.harness.report.results import Finding, Result
from iolab.harness.subject.manifest import Promises, Subject
from tests.gallery.verdicts import blamed, missed, unplayable

LEAKY = Subject("leaky", None, 9000, expected={"disconnect.fin-idle": "cleanup: CLOSE-WAIT"})
NO_CABLE = "the backend has no cable"


def row(label: str, subject: str = "leaky", finding: str = "", **levels: Any) -> Result:
    """A playing as the run's summary has it; the finding is one of `cleanup`."""
    level = levels.get("cleanup", "OK")
    found = Finding(side="cleanup", level=Level(level), cause="left", summary=finding)
    return Result(
        scenario=label,
        title="made by a test",
        subject=subject,
        ip=4,
        passed=not finding,
        findings=(found,) if finding else (),
        **{"reply": "OK", "cleanup": "OK", **levels},
    )


LEFT = {"finding": "8 of 8 are in CLOSE-WAIT", "cleanup": "FAILED"}


@pytest.mark.parametrize("label", ["disconnect.fin-idle", "disconnect.fin-idle quiet"])
def test_one_playing_that_fails_in_the_words_of_the_manifest_is_enough(label: str) -> None:
    other = row("disconnect.fin-idle/other")
    assert missed(LEAKY, [other, row(label, **LEFT)]) == []


@pytest.mark.parametrize(
    ("seen", "instead"),
    [
        (row("disconnect.fin-idle"), "disconnect.fin-idle: cleanup: OK"),
        (
            row("disconnect.fin-idle", finding="8 are in LAST-ACK", cleanup="FAILED"),
            "disconnect.fin-idle: cleanup: FAILED\nleft\n8 are in LAST-ACK",
        ),
        (
            row("disconnect.fin-idle", finding="8 are in CLOSE-WAIT", cleanup="UNKNOWN"),
            "disconnect.fin-idle: cleanup: UNKNOWN\nleft\n8 are in CLOSE-WAIT",
        ),
        (row("disconnect.fin-idle-too", **LEFT), "it was not played"),
        (row("disconnect.fin-idle", subject="other", **LEFT), "it was not played"),
        (
            row("disconnect.fin-idle", reply="UNSUPPORTED", cleanup="UNSUPPORTED", reason="no"),
            "disconnect.fin-idle: cleanup: UNSUPPORTED\nno",
        ),
    ],
)
def test_a_bug_that_is_missed_is_told_with_what_was_seen(seen: Result, instead: str) -> None:
    told = f"leaky: disconnect.fin-idle: no 'cleanup: CLOSE-WAIT'; instead: {instead}"
    assert missed(LEAKY, [seen], [NO_CABLE]) == [told]


def test_what_the_backend_cannot_play_misses_nobody() -> None:
    unplayed = row("disconnect.fin-idle", cleanup="UNSUPPORTED", reason=NO_CABLE)
    assert missed(LEAKY, [unplayed], [NO_CABLE]) == []
    assert unplayable(LEAKY, [unplayed], [NO_CABLE])
    assert not unplayable(LEAKY, [row("disconnect.fin-idle")], [NO_CABLE])


CONTROL = Subject("control", None, 9000, promises=Promises())


def test_a_control_that_was_ok_or_not_asked_is_not_blamed() -> None:
    rows = [
        row("connect.one", subject="control"),
        row("slow.reader", subject="control", reply="UNSUPPORTED", cleanup="UNSUPPORTED"),
        row("slow.reader", **LEFT),
    ]
    assert blamed(CONTROL, rows) == []


@pytest.mark.parametrize("level", ["FAILED", "UNKNOWN"])
def test_each_verdict_against_a_control_is_told(level: str) -> None:
    rows = [
        row("connect.one", subject="control"),
        row("connect.churn", subject="control", finding="8 are left", cleanup=level),
    ]
    assert blamed(CONTROL, rows) == [f"control: connect.churn: cleanup: {level}\nleft\n8 are left"]


def test_a_control_that_nothing_was_shown_of_is_not_trusted() -> None:
    rows = [row("connect.one", subject="control", reply="UNSUPPORTED", cleanup="UNSUPPORTED")]
    assert blamed(CONTROL, rows) == ["control: nothing that it was asked for was OK"]
    assert blamed(CONTROL, []) == ["control: nothing that it was asked for was OK"]
