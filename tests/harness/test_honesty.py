"""Faults that are broken on purpose are seen not to hold: UNKNOWN, never a pass, never a blame."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from msgspec import structs

from iolab.harness.backends.base import Backend, BackendError
from iolab.harness.backends.channel import Channel
from iolab.harness.faults.cable import Cable
from iolab.harness.faults.delay import Delay
from iolab.harness.faults.freeze_client import FreezeClient
from iolab.harness.faults.kill_client import KillClient
from iolab.harness.faults.packets import PacketRule
from iolab.harness.faults.registry import FAULTS
from iolab.harness.judge import Level
from iolab.harness.lab.fault import Fault, Unproven
from iolab.harness.lab.lab import Lab
from iolab.harness.lab.steps import ask, close, connect, wait
from iolab.harness.places import ROOT
from iolab.harness.run.stage import Stage
from iolab.harness.subject.manifest import load
from tests.harness.broken import doubt_of, judged_in_time, made_of, of_the_catalogue, once, play

pytestmark = pytest.mark.usefixtures("_once")

# It never times anybody out.
NO_TIMEOUT = load(ROOT / "gallery" / "controls" / "asyncio_streams.toml")

# Nobody has this port.
NOBODY = 1

# A probe whose engine gives its queue back as soon as a rule is in place.
DYING_ENGINE = textwrap.dedent("""
    import struct
    from iolab.harness.beside.probe.__main__ import main
    from iolab.harness.beside.wire.gate import Gate

    def add(gate, rule, real=Gate.add):
        queue, reply = gate._queue, real(gate, rule)
        unbind = struct.pack("!BxH", 2, 0)
        gate._loop.call_later(0, lambda: queue._socket.send(queue._message(0x302, 1, 1, unbind)))
        return reply

    Gate.add = add
    main()
""")


@pytest.fixture
def _once(monkeypatch: pytest.MonkeyPatch) -> None:
    once(monkeypatch)


@pytest.fixture
def wire(backend: Backend) -> None:
    if "wire" in backend.missing():
        pytest.skip(backend.missing()["wire"])


def rules() -> Sequence[type[PacketRule]]:
    """All faults of the wire that are one rule."""
    of_the_catalogue("network.loss")
    return [fault for fault in FAULTS.values() if issubclass(fault, PacketRule)]


def talk_over(lab: Lab, fault: PacketRule) -> None:
    lab.inject(fault)
    lab.play("far", connect(), ask("hello"), close(), client="far").ended()
    lab.heal(fault)


@pytest.mark.usefixtures("wire")
def test_a_rule_that_matches_nothing(stage: Stage) -> None:
    unproven: list[str] = []

    def body(lab: Lab) -> None:
        host, _ = lab.client("far").address
        for fault in rules():
            with pytest.raises(Unproven) as refused:
                talk_over(lab, fault(peer=(host, NOBODY)))
            unproven.append(str(refused.value))
        raise Unproven(unproven[-1])

    told = doubt_of(play(stage, made_of(body, faults=(Fault,))))
    assert unproven[-1] in told
    assert sorted(unproven) == sorted(
        f"{fault.name}: no packet was taken (0 matched)" for fault in rules()
    )


@pytest.mark.usefixtures("wire")
def test_a_rule_that_takes_nothing_of_what_it_matches(stage: Stage) -> None:
    def body(lab: Lab) -> None:
        talk_over(lab, Delay(peer=lab.client("far").address, flags="URG"))

    told = doubt_of(play(stage, made_of(body, faults=(Fault,))))
    assert "the fault was not seen: delay: no packet was taken (" in told
    assert "(0 matched)" not in told


@pytest.mark.usefixtures("wire")
def test_a_count_that_was_not_taken(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Channel.request

    def request(channel: Channel, op: str, **fields: Any) -> Any:
        answer = real(channel, op, **fields)
        return {**answer, "taken": 0} if op == "rule-remove" else answer

    monkeypatch.setattr(Channel, "request", request)
    told = doubt_of(play(stage, of_the_catalogue("network.duplicate")))
    assert "the fault was not seen: duplicate: no packet was taken" in told


@pytest.mark.usefixtures("wire")
def test_a_fault_that_nobody_healed_is_asked_for_its_proof_all_the_same(stage: Stage) -> None:
    def body(lab: Lab) -> None:
        lab.inject(Delay(peer=(lab.client("far").address[0], NOBODY)))

    told = doubt_of(play(stage, made_of(body, faults=(Fault,))))
    assert "the fault was not seen: delay: no packet was taken" in told


@pytest.mark.usefixtures("wire")
def test_an_engine_that_has_died(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def start_probe(pod: Any) -> Any:
        return pod.spawn(["python3", "-c", DYING_ENGINE])

    def body(lab: Lab) -> None:
        fault = lab.inject(Delay(peer=lab.client("far").address))
        far = lab.play("far", connect(within_s=0.5), must="nothing", client="far")
        far.ended()
        lab.heal(fault)

    from iolab.harness.backends.namespaces.lab import NamespacePod

    monkeypatch.setattr(NamespacePod, "start_probe", start_probe)
    told = doubt_of(play(stage, made_of(body, faults=(Fault,))))
    assert "the wire cannot be trusted: queue " in told


def ignored(monkeypatch: pytest.MonkeyPatch, wanted: str) -> None:
    """No process gets that signal."""
    from iolab.harness.backends.local.process import LocalProcess

    real = LocalProcess.signal

    def signal(process: LocalProcess, signal: str) -> None:
        if signal != wanted:
            real(process, signal)

    monkeypatch.setattr(LocalProcess, "signal", signal)


def test_a_freeze_that_does_not_freeze(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    ignored(monkeypatch, "SIGSTOP")
    told = doubt_of(play(stage, of_the_catalogue("vanish.frozen")))
    assert "freeze-client: the client answered while it was to stand still" in told


def test_who_keeps_frozen_peers_is_blamed(stage: Stage) -> None:
    """That the frozen client's own loop is late is the lab's doing, and no doubt."""
    subject = replace(NO_TIMEOUT, promises=structs.replace(NO_TIMEOUT.promises, idle_timeout_s=0.5))
    outcome = play(stage, of_the_catalogue("vanish.frozen"), subject)
    # On a busy machine another loop may have been late indeed.
    judgement = judged_in_time(outcome.files[-1], late="remote")
    assert judgement.doubts == ()
    assert judgement.cleanup.level is Level.FAILED


def test_a_kill_that_kills_nobody(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    ignored(monkeypatch, "SIGKILL")
    told = doubt_of(play(stage, of_the_catalogue("disconnect.killed")))
    assert "kill-client: the client's process was not seen dead" in told


def test_a_cable_that_is_not_pulled(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    from iolab.harness.backends.namespaces.lab import NamespaceNode

    monkeypatch.setattr(NamespaceNode, "unplug", lambda node: None)
    monkeypatch.setattr(NamespaceNode, "plug", lambda node: None)
    told = doubt_of(play(stage, of_the_catalogue("vanish.cable")))
    assert "packets of the client arrived while it was out" in told


def test_a_cable_that_the_backend_cannot_pull(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    from iolab.harness.backends.namespaces.lab import NamespaceNode

    def unplug(node: NamespaceNode) -> None:
        raise BackendError(f"{node.name}: still up")

    monkeypatch.setattr(NamespaceNode, "unplug", unplug)
    told = doubt_of(play(stage, of_the_catalogue("vanish.cable")))
    # A busy machine may add that some loop was late.
    assert "the scenario could not go on: remote: still up" in told.splitlines()


def test_peers_that_do_not_vanish(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Channel.request

    def request(channel: Channel, op: str, **fields: Any) -> Any:
        if op == "rule-add":
            host, _ = fields["rule"]["peer"]
            fields["rule"] = {**fields["rule"], "peer": [host, NOBODY]}
        if op == "rule-wait":
            fields["within_s"] = 0.3
        return real(channel, op, **fields)

    monkeypatch.setattr(Channel, "request", request)
    told = doubt_of(play(stage, of_the_catalogue("vanish.idle")))
    assert "vanish: the reset of some client was not seen to be lost" in told


def test_the_faults_as_they_are_hold(stage: Stage) -> None:
    """Frozen, unplugged where that is possible, killed: each client by itself."""

    def body(lab: Lab) -> None:
        names = ["frozen", "killed"]
        names += [] if "cable" in stage.backend.missing() else ["unplugged"]
        for name in names:
            steps = (connect(), ask("here I am"), wait("never", mark="ready"))
            lab.play(name, *steps, must="nothing", client=name).reached("ready")
        lab.inject(FreezeClient("frozen"))
        lab.inject(KillClient("killed"))
        if "unplugged" in names:
            lab.heal(lab.inject(Cable("unplugged")))

    outcome = play(stage, made_of(body, faults=(Fault,)))
    assert outcome.judgement.level is Level.OK, outcome.judgement
