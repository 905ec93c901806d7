"""The rules of the conversation: what every request gets, and how the probe ends."""

from __future__ import annotations

import json
import os
import signal
from typing import Any

import pytest

from iolab.harness.beside.probe.dispatcher import LINE_MAX
from tests.probe.driver import Driver, Refused
from tests.waiting import PATIENCE_S


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (b"", "line: is not JSON"),
        (b"{", "line: is not JSON"),
        (b'{"id": 1, "op": "\xff"}', "line: is not JSON"),
        (b"[1]", "line: must be an object"),
        (b"{}", "field id: must be an integer, not None"),
        (b'{"id": "1", "op": "mark"}', "field id: must be an integer, not '1'"),
        (b'{"id": true, "op": "mark"}', "field id: must be an integer, not True"),
    ],
)
def test_line_without_a_number_is_refused(probe: Driver, line: bytes, error: str) -> None:
    probe.write(line + b"\n")
    answer = probe.answer(None)
    assert not answer["ok"]
    assert answer["error"].startswith(error)
    assert probe.ask("snapshot")["ok"]


@pytest.mark.parametrize("more", [1, 1 << 20])
def test_line_too_long_is_refused_and_skipped(probe: Driver, more: int) -> None:
    probe.write(b" " * (LINE_MAX + more) + b"\n")
    assert "longer than" in probe.answer(None)["error"]
    assert probe.ask("snapshot")["ok"]


@pytest.mark.parametrize(
    ("op", "fields", "error"),
    [
        ("fly", {}, "field op: must be one of activity, "),
        ("mark", {"all": True}, "field all: is not known here"),
        ("spawn", {}, "field argv: is missing"),
        ("spawn", {"argv": []}, "field argv: must be a list of strings"),
        ("spawn", {"argv": ["/no/such"]}, "field argv: /no/such cannot be started"),
        ("spawn", {"argv": ["true"], "cwd": "/no/such"}, "field argv: true cannot be started"),
        ("spawn", {"argv": ["true"], "nofile": 1 << 40}, "field nofile: must be at most"),
        ("spawn", {"argv": ["true"], "env": {"A": 1}}, "field env: must be an object of strings"),
        ("input", {"data": "x"}, "field pid: nothing was spawned here"),
        ("input", {"data": "x", "pid": 1}, "field pid: must be a process that was spawned"),
        ("hold-output", {"hold": True}, "field pid: nothing was spawned here"),
        ("snapshot", {"port": "http"}, "field port: must be a port"),
        ("snapshot", {"prot": 1}, "field prot: is not known here (known: address, label, port)"),
        ("wait", {"within_s": 1}, "field condition: is missing"),
        ("wait", {"condition": {"exited": {}}}, "field within_s: is missing"),
        ("wait", {"condition": {}, "within_s": 1}, "field condition: must be an object with one"),
        ("wait", {"condition": {"gnoe": {}}, "within_s": 1}, "field condition: must be one of"),
        ("wait", {"condition": {"exited": {}}, "within_s": -1}, "field within_s: must be a number"),
        ("signal", {"signal": "SIGNOT"}, "field signal: must be the name of a signal"),
        ("signal", {"signal": "TERM", "who": "some"}, "field who: must be one of main, all"),
        ("signal", {"signal": "TERM"}, "field who: the subject has no main process"),
        ("freeze", {}, "the subject has no process running"),
        ("thaw", {}, "the subject has no process running"),
        ("limit", {"nofile": -1}, "field nofile: must be a whole number from 0"),
        ("limit", {"nofile": 100}, "no such process of the subject is running"),
        ("activity", {"within_s": 1}, "field every_s: is missing"),
        ("activity", {"within_s": 1, "every_s": 0}, "field every_s: must be at least"),
    ],
)
def test_request_is_refused_by_field(
    probe: Driver, op: str, fields: dict[str, Any], error: str
) -> None:
    with pytest.raises(Refused) as refused:
        probe.ask(op, **fields)
    assert str(refused.value).startswith(error)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("condition", "error"),
    [
        ({"listening": 0}, "field condition.listening.port: must be a port"),
        ({"gone": {}}, "field condition.gone.peers: names nobody"),
        ({"gone": {"peers": ["10.0.0.1"]}}, "field condition.gone.peers: must be an address"),
        ({"connections": {"port": 1, "states": ["OPEN"]}}, "field condition.connections.states"),
        ({"queue": {"peers": [["10.0.0.1", 1]]}}, "field condition.queue: needs a bound"),
        ({"queue": {"peers": [["10.0.0.1", 1]], "sendq_at_most": 1}}, "field condition.queue"),
        ({"counter": {"name": "Lost", "above": 1}}, "field condition.counter.name: must be one of"),
        ({"stopped": {"all": True}}, "field condition.stopped.all: is not known here"),
        ({"idle": {"for_s": 1}}, "field condition.idle.cpu_share_at_most: is missing"),
        ({"exited": 1}, "field condition.exited: must be an object"),
    ],
)
def test_condition_is_refused_by_field(
    probe: Driver, condition: dict[str, Any], error: str
) -> None:
    with pytest.raises(Refused) as refused:
        probe.ask("wait", condition=condition, within_s=0)
    assert str(refused.value).startswith(error)


def test_first_line_says_who_it_is(probe: Driver) -> None:
    assert probe.ready["pid"] == probe.process.pid
    assert probe.ready["nofile"] > 0
    assert probe.ready["t"] > 0


def test_answers_have_the_number_the_time_and_the_lateness(probe: Driver) -> None:
    first, second = probe.send("snapshot"), probe.send("snapshot")
    late, early = probe.answer(second), probe.answer(first)
    assert early["t"] <= late["t"]
    assert early["late_s"] >= 0.0


def test_requests_in_pieces_and_together(probe: Driver) -> None:
    lines = b"".join(json.dumps({"id": n, "op": "snapshot"}).encode() + b"\n" for n in (7, 8))
    for at in range(len(lines)):
        probe.write(lines[at : at + 1])
    assert probe.answer(7)["ok"]
    assert probe.answer(8)["ok"]


def test_a_waiting_request_holds_up_no_other(probe: Driver) -> None:
    probe.subject("keep")
    waiting = probe.send("wait", condition={"exited": {}}, within_s=PATIENCE_S)
    assert probe.ask("snapshot")["ok"]
    probe.ask("signal", signal="KILL")
    assert probe.answer(waiting)["ok"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_and_what_it_spawned(number: signal.Signals) -> None:
    probe = Driver()
    pid, _ = probe.subject("ignore_terminate")
    child = int(probe.line(pid))
    os.kill(probe.process.pid, number)
    assert probe.close() == ""
    assert probe.process.returncode == 0
    assert not os.path.exists(f"/proc/{pid}")
    assert not os.path.exists(f"/proc/{child}")
