"""What a scenario's author may ask of the lab, and what the lab asks of the subject."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from iolab.harness.faults.delay import Delay
from iolab.harness.faults.stop_subject import StopSubject
from iolab.harness.judge import Level
from iolab.harness.lab.bounds import Bound
from iolab.harness.lab.lab import Lab
from iolab.harness.run.stage import Stage
from iolab.harness.scenarios.circumstances import BORNE, LONGER, requests
from iolab.harness.subject.manifest import Promises
from tests.harness.broken import made_of, play, script

# It hears SIGTERM, and goes on for 1.6 s before it ends as if all were well.
TAKES_ITS_TIME = """
import os, signal, threading, time
def end(*_):
    time.sleep(1.6)
    os._exit(0)
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=end).start())
def serve(client):
    for line in client.makefile("rb"):
        client.sendall(line)
    client.close()
listener = socket.create_server((HOST, PORT))
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
"""


def test_a_fault_that_the_scenario_does_not_declare(stage: Stage) -> None:
    def body(lab: Lab) -> None:
        with pytest.raises(TypeError, match="does not declare the fault stop-subject"):
            lab.inject(StopSubject())

    assert play(stage, made_of(body, faults=(Delay,))).judgement.level is Level.OK


def test_what_a_scenario_needs_follows_from_its_faults() -> None:
    scenario = made_of(lambda lab: None, faults=(Delay, StopSubject), abilities=("cpu-limit",))
    assert scenario.needs == ("wire", "cpu-limit")


def test_a_time_that_is_not_promised_cannot_be_asked_for(stage: Stage, tmp_path: Path) -> None:
    def body(lab: Lab) -> None:
        with pytest.raises(ValueError, match="idle_timeout_s is not promised"):
            lab.promised("idle_timeout_s")
        bound = lab.promised("graceful_stop_s")
        assert (bound.seconds, bound.within_s, bound.words) == (2.0, 3.0, "grace time 2 s")

    subject = script(tmp_path, TAKES_ITS_TIME, promises=Promises(graceful_stop_s=2.0))
    assert play(stage, made_of(body), subject).judgement.level is Level.OK


@pytest.mark.parametrize(("grace_s", "level"), [(0.9, Level.FAILED), (9.0, Level.OK)])
def test_a_stop_is_timed_from_the_signal(
    grace_s: float, level: Level, stage: Stage, tmp_path: Path
) -> None:
    """What the scenario does in between, and waits for, is no time more."""

    def body(lab: Lab) -> None:
        lab.bystanders.leave()
        lab.trigger()
        lab.life.stop("SIGTERM")
        lab.let_pass(1.0)
        by = Bound(grace_s, "grace time", leeway_s=0.0)
        lab.life.expect_stop(by=by, asked="SIGTERM", allowed=(0,))

    outcome = play(stage, made_of(body), script(tmp_path, TAKES_ITS_TIME))
    assert outcome.judgement.cleanup.level is level, outcome.judgement


@pytest.mark.parametrize("largest", [100, 4_096, LONGER, 65_536, 1 << 20, 8 << 20])
@pytest.mark.parametrize("count", [1, 4, 40])
def test_ever_more_is_asked_for_and_no_more_than_a_machine_can_bear(
    largest: int, count: int
) -> None:
    lab = cast(Lab, cast(Any, SimpleNamespace(largest=largest)))
    asked = requests(lab, count)
    totals = [size * times for size, times in asked]
    assert totals == sorted(set(totals))
    assert all(0 < size <= largest for size, _ in asked)
    assert totals[-1] * count <= BORNE
    # The first is longer than the kernels hold, in one message where one may be so long.
    assert totals[0] >= LONGER
    assert largest < LONGER or asked[0][1] == 1
