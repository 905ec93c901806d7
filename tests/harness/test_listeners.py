"""Who listens, and when the subject is ready, is told by its clients' port and address alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from iolab.harness.faults.limit_descriptors import LimitDescriptors
from iolab.harness.judge import Level
from iolab.harness.lab.lab import Lab
from iolab.harness.record.kinds import FaultPhase
from iolab.harness.record.lines import load
from iolab.harness.run.stage import Stage
from tests.harness.broken import made_of, of_the_catalogue, once, play, script

SERVE = """
import os, threading, time

def serve(client):
    with client, client.makefile("rb") as lines:
        for line in lines:
            client.sendall(line)

def accept(listener):
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
"""

# A process of its own, which outlives it and has a port of its own.
WITH_A_CHILD = (
    SERVE
    + """
inner = socket.create_server(("127.0.0.1", 0))
if os.fork() == 0:
    accept(inner)
inner.close()
accept(socket.create_server((HOST, PORT)))
"""
)

# Where somebody may ask how it fares is open before it serves.
STATISTICS_FIRST = (
    SERVE
    + """
statistics = socket.create_server((HOST, 0))
time.sleep(0.5)
accept(socket.create_server((HOST, PORT)))
"""
)

# Each restart finds the port taken by a child that has no use for it.
CHILD_HAS_THE_PORT = (
    SERVE
    + """
listener = socket.create_server((HOST, PORT))
if os.fork() == 0:
    time.sleep(1000)
accept(listener)
"""
)


@pytest.fixture(autouse=True)
def _once(monkeypatch: pytest.MonkeyPatch) -> None:
    once(monkeypatch)


@pytest.mark.parametrize("code", [WITH_A_CHILD, STATISTICS_FIRST], ids=["child", "statistics"])
@pytest.mark.parametrize("id", ["lifecycle.restart", "lifecycle.address-in-use"])
def test_other_ports_blame_nobody(id: str, code: str, stage: Stage, tmp_path: Path) -> None:
    outcome = play(stage, of_the_catalogue(id), script(tmp_path, code))
    assert outcome.judgement.level is Level.OK, outcome.judgement


def test_a_child_that_keeps_the_port_is_named(stage: Stage, tmp_path: Path) -> None:
    subject = script(tmp_path, CHILD_HAS_THE_PORT, start_s=2.0)
    outcome = play(stage, of_the_catalogue("lifecycle.restart"), subject)
    [finding] = outcome.judgement.reply.findings
    assert finding.cause == "does not start again"
    assert any("keeps its listener" in line for line in finding.evidence)


def test_only_who_accepts_is_limited(stage: Stage, tmp_path: Path) -> None:
    def body(lab: Lab) -> None:
        lab.heal(lab.inject(LimitDescriptors(spare=5)))

    outcome = play(stage, made_of(body, faults=(LimitDescriptors,)), script(tmp_path, WITH_A_CHILD))
    [seen] = [
        record.seen
        for record in load(outcome.files[0])
        if isinstance(record, FaultPhase) and record.phase == "inject"
    ]
    assert len(seen["limits"]) == 1
