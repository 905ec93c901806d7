"""What a scenario's name claims is proven: without the circumstance it ends UNKNOWN, never OK."""

from __future__ import annotations

import time

import pytest

from iolab.harness.faults.limit_descriptors import LimitDescriptors
from iolab.harness.faults.stop_subject import StopSubject
from iolab.harness.judge import Level
from iolab.harness.lab.clients import Group
from iolab.harness.lab.fault import Seen
from iolab.harness.lab.lab import Lab
from iolab.harness.lab.life import Life
from iolab.harness.lab.steps import Step, ask, close, expect
from iolab.harness.places import ROOT
from iolab.harness.record.kinds import HeldUp
from iolab.harness.run.stage import Stage
from iolab.harness.scenarios import circumstances
from iolab.harness.subject.manifest import load
from tests.harness.broken import doubt_of, hopeless, instead, of_the_catalogue, once, play
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.usefixtures("_once")


@pytest.fixture
def _once(monkeypatch: pytest.MonkeyPatch) -> None:
    once(monkeypatch)


def reads_everything(steps: list[Step]) -> list[Step]:
    """They read the whole reply before they say that they are ready."""
    reading = [step for step in steps if step != {"do": "read", "on": False}]
    ready = next(k for k, step in enumerate(reading) if step["do"] == "wait")
    return [*reading[:ready], expect(within_s=PATIENCE_S), *reading[ready:]]


def reads_at_once(steps: list[Step]) -> list[Step]:
    """They read each reply before they do anything else."""
    read: list[Step] = []
    for step in steps:
        if step["do"] == "flood":
            read.append(ask("a word"))
        elif step != {"do": "read", "on": False}:
            read += [step, expect(within_s=PATIENCE_S)] if step["do"] == "send" else [step]
    return read


def floods_nothing(steps: list[Step]) -> list[Step]:
    """They ask for little where they should have asked without end."""
    return [ask("a word") if step["do"] == "flood" else step for step in steps]


def sends_nothing_urgent(steps: list[Step]) -> list[Step]:
    return [{name: step[name] for name in step if name != "urgent"} for step in steps]


def says_nothing(steps: list[Step]) -> list[Step]:
    return [step for step in steps if step["do"] != "send"]


# The claim of everything that must come about in the middle of a reply.
OWING = "mid-reply: the server has more to say"


def closes_instead(steps: list[Step]) -> list[Step]:
    return [close() if step["do"] == "reset" else step for step in steps]


def unfrozen(fault: StopSubject, lab: Lab) -> Seen:
    """A freeze that does not freeze."""
    fault._stands = HeldUp(since=time.monotonic(), why="so it says")
    return {"stopped": []}


@pytest.mark.parametrize(
    "id",
    [
        "disconnect.fin-mid-reply",
        "disconnect.rst-mid-reply",
        "vanish.mid-reply",
        "slow.unread-crowd",
    ],
)
def test_mid_reply_with_clients_that_read(
    id: str, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    instead(monkeypatch, reads_everything)
    hopeless(monkeypatch, "mid-reply")
    assert OWING in doubt_of(play(stage, of_the_catalogue(id)))


@pytest.mark.parametrize(
    "id",
    [
        "disconnect.fin-mid-message",
        "disconnect.rst-mid-message",
        "vanish.mid-message",
        "slow.stalled-message",
    ],
)
def test_mid_message_with_nothing_sent(
    id: str, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    instead(monkeypatch, says_nothing)
    hopeless(monkeypatch, "mid-message")
    assert "mid-message: the server has read the part" in doubt_of(
        play(stage, of_the_catalogue(id))
    )


@pytest.mark.parametrize(
    ("id", "case"),
    [("connect.fin-before-accept", "mute"), ("connect.rst-before-accept", "spoken")],
)
def test_before_accept_without_the_stop(
    id: str, case: str, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StopSubject, "inject", unfrozen)
    hopeless(monkeypatch, "before accept")
    told = doubt_of(play(stage, of_the_catalogue(id), case=case))
    # Whichever is noticed first: that nobody waits, or, when somebody still did, that it ran on.
    assert "before accept: they wait" in told or "not seen to stand still" in told


@pytest.mark.parametrize("id", ["resource.frozen-server", "resource.signals"])
def test_a_subject_that_does_not_stand_still(
    id: str, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StopSubject, "inject", unfrozen)
    told = doubt_of(play(stage, of_the_catalogue(id)))
    assert "stop-subject: the subject was not seen to stand still to the end" in told


def test_descriptors_without_the_limit(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    for what in ("inject", "heal"):
        monkeypatch.setattr(LimitDescriptors, what, lambda fault, lab: {})
    told = doubt_of(play(stage, of_the_catalogue("resource.fd-limit")))
    assert "accept fails" in told


@pytest.mark.parametrize(
    ("id", "claim"),
    [
        ("vanish.zero-window", "unsent bytes behind a closed window"),
        ("vanish.zero-window/half-closed", OWING),
        ("lifecycle.sigterm", OWING),
        ("lifecycle.sigterm-stuck-peer", OWING),
        ("slow.reader", OWING),
        ("reply.half-close-unread", OWING),
    ],
)
def test_unsent_replies_with_clients_that_read(
    id: str, claim: str, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    instead(monkeypatch, reads_at_once)
    hopeless(monkeypatch, claim)
    # Who reads everything reads all that it is asked to ask for: once is enough.
    monkeypatch.setattr(circumstances, "LONG_REPLIES", circumstances.LONG_REPLIES[:1])
    name, _, case = id.partition("/")
    assert claim in doubt_of(play(stage, of_the_catalogue(name), case=case or None))


def test_a_long_row_of_replies_that_is_short(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    instead(monkeypatch, floods_nothing)
    hopeless(monkeypatch, OWING)
    told = doubt_of(play(stage, of_the_catalogue("reply.half-close-unread")))
    assert OWING in told


def test_urgent_data_that_is_not(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    if "capture" in stage.backend.missing():
        pytest.skip(stage.backend.missing()["capture"])
    instead(monkeypatch, sends_nothing_urgent)
    told = doubt_of(play(stage, of_the_catalogue("reply.urgent")))
    assert "it is urgent on the wire" in told


def test_a_log_that_somebody_reads(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Life, "hold_output", lambda life, hold: None)
    stuck = of_the_catalogue("resource.stdout-stuck")
    monkeypatch.setattr("iolab.harness.scenarios.resource.MORE_CHATTER", 1)
    logging = load(ROOT / "subjects" / "select.toml")
    told = doubt_of(play(stage, stuck, logging))
    assert "nobody reads the log: its pipe is full" in told


def test_over_the_backlog_with_two_connections(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    instead(monkeypatch, lambda steps: steps, count=2)
    hopeless(monkeypatch, "over the backlog")
    outcome = play(stage, of_the_catalogue("connect.burst-over-backlog"))
    assert "over the backlog" in doubt_of(outcome)


def test_readable_and_reset_without_the_reset(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    instead(monkeypatch, closes_instead)
    hopeless(monkeypatch, "the reset arrived")
    outcome = play(stage, of_the_catalogue("disconnect.readable-and-reset"))
    assert "the reset arrived" in doubt_of(outcome)


def test_readable_and_reset_without_words(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    instead(monkeypatch, says_nothing)
    hopeless(monkeypatch, "data arrived")
    outcome = play(stage, of_the_catalogue("disconnect.readable-and-reset"))
    assert "data arrived" in doubt_of(outcome)


def test_unread_with_clients_that_read(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Group.has_unread
    monkeypatch.setattr(Group, "has_unread", lambda group, k: real(group, k, within_s=0.3))
    instead(monkeypatch, reads_everything)
    outcome = play(stage, of_the_catalogue("disconnect.unread"))
    assert "the reply lies unread in the client's socket" in doubt_of(outcome)


def test_the_same_with_its_circumstances_passes(stage: Stage) -> None:
    outcome = play(stage, of_the_catalogue("disconnect.readable-and-reset"))
    assert outcome.judgement.level is Level.OK, outcome.judgement
