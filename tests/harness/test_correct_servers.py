"""Correct servers of an unusual make, which a scenario once blamed or could not judge."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from iolab.harness.judge import Level
from iolab.harness.lab.lab import Lab
from iolab.harness.lab.steps import Step
from iolab.harness.report.outcome import Outcome
from iolab.harness.run.stage import Stage
from iolab.harness.scenarios.catalogue import load_catalogue
from iolab.harness.scenarios.scenario import CATALOGUE
from iolab.harness.subject.manifest import Promises, Subject
from tests.harness.broken import CONTROL, of_the_catalogue, once, play, script

# A thread for each client; what is set on the listener goes on to each connection.
THREADS = """
import threading, time
OPTIONS = {options}
listener = socket.create_server((HOST, PORT), backlog={backlog})
for level, name, value in OPTIONS:
    listener.setsockopt(level, name, value)
inside, memory = [], []

def serve(client):
    try:
        with client.makefile("rb") as lines:
            for line in lines:
                if line.endswith(b"\\n"):
                    client.sendall(line)
    except OSError:
        pass
    time.sleep({closes_after_s})
    inside.remove(client)
    client.close()

while True:
    try:
        client, _ = listener.accept()
    except OSError:
        time.sleep(0.05)
        continue
    if len(inside) >= {most}:
        client.close()
        continue
    if len(memory) < {remembers}:
        memory.append(b"m" * 20_000)
    inside.append(client)
    threading.Thread(target=serve, args=(client,), daemon=True).start()
"""


@pytest.fixture(autouse=True)
def _once(monkeypatch: pytest.MonkeyPatch) -> None:
    once(monkeypatch)


def threads(
    folder: Path,
    *options: tuple[str, str, int],
    backlog: int = 128,
    most: int = 10_000,
    closes_after_s: float = 0.0,
    remembers: int = 0,
    max_connections: int | None = None,
) -> Subject:
    words = ", ".join(f"(socket.{level}, socket.{name}, {n})" for level, name, n in options)
    code = THREADS.format(
        options=f"[{words}]",
        backlog=backlog,
        most=most,
        closes_after_s=closes_after_s,
        remembers=remembers,
    )
    return script(folder, code, promises=Promises(half_close=True, max_connections=max_connections))


def levels(outcome: Outcome) -> tuple[Level, Level]:
    return outcome.judgement.reply.level, outcome.judgement.cleanup.level


def test_accept_that_never_hears_of_the_mute(stage: Stage, tmp_path: Path) -> None:
    deferring = threads(tmp_path, ("IPPROTO_TCP", "TCP_DEFER_ACCEPT", 3))
    outcome = play(stage, of_the_catalogue("connect.rst-before-accept"), deferring, case="mute")
    assert levels(outcome) == (Level.INFORMATIONAL, Level.OK), outcome.judgement
    [finding] = outcome.judgement.findings
    assert finding.summary.endswith("is kept from accept by TCP_DEFER_ACCEPT")


@pytest.mark.parametrize("case", ["mute", "spoken"])
def test_an_accept_queue_of_two(case: str, stage: Stage, tmp_path: Path) -> None:
    narrow = threads(tmp_path, backlog=2)
    outcome = play(
        stage, of_the_catalogue("connect.rst-before-accept"), narrow, case=case, quiet=True
    )
    assert levels(outcome) == (Level.OK, Level.OK), outcome.judgement


def test_a_receive_buffer_that_is_full_while_it_writes(stage: Stage, tmp_path: Path) -> None:
    small = threads(tmp_path, ("SOL_SOCKET", "SO_RCVBUF", 2048), ("SOL_SOCKET", "SO_SNDBUF", 2048))
    outcome = play(stage, of_the_catalogue("disconnect.fin-mid-reply"), small)
    assert levels(outcome) == (Level.OK, Level.OK), outcome.judgement


def test_descriptors_that_are_closed_a_moment_later(stage: Stage, tmp_path: Path) -> None:
    unhurried = threads(tmp_path, closes_after_s=0.2)
    outcome = play(stage, of_the_catalogue("resource.fd-limit"), unhurried)
    assert levels(outcome) == (Level.OK, Level.OK), outcome.judgement


def test_a_newcomer_among_more_than_are_promised(stage: Stage, tmp_path: Path) -> None:
    full = threads(tmp_path, most=30, closes_after_s=0.2, max_connections=30)
    outcome = play(stage, of_the_catalogue("connect.burst-over-backlog"), full)
    assert levels(outcome) == (Level.OK, Level.OK), outcome.judgement


def test_memory_that_grows_until_garbage_is_collected(stage: Stage, tmp_path: Path) -> None:
    load_catalogue()
    outcome = play(stage, CATALOGUE["connect.churn"], threads(tmp_path, remembers=900))
    assert levels(outcome) == (Level.OK, Level.OK), outcome.judgement


@pytest.mark.parametrize(("share", "level"), [(0.8, Level.OK), (0.1, Level.FAILED)])
def test_removing_late_for_want_of_a_cpu(
    share: float, level: Level, stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("iolab.harness.judge.hunger.between", lambda first, last: share)
    late = threads(tmp_path, closes_after_s=1.4)
    outcome = play(stage, of_the_catalogue("disconnect.fin-idle"), late, quiet=True)
    assert levels(outcome) == (Level.OK, level), outcome.judgement


def test_bytes_in_messages_that_are_short_enough(stage: Stage) -> None:
    subject = replace(CONTROL, promises=structs.replace(CONTROL.promises, max_message=100))
    sent: list[int] = []
    real = Lab.play

    def spied(lab: Lab, name: str, *steps: Step, **fields: Any) -> Any:
        sent.extend(len(step.get("hex", "")) // 2 for step in steps)
        return real(lab, name, *steps, **fields)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Lab, "play", spied)
        assert levels(play(stage, of_the_catalogue("reply.binary"), subject))[0] is Level.OK
    assert max(sent) == 100
