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
        (b"{}", "`id` must be an integer, not None"),
        (b'{"id": "1", "op": "mark"}', "`id` must be an integer, not '1'"),
        (b'{"id": true, "op": "mark"}', "`id` must be an integer, not True"),
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
    ("op", "fields", "field", "error"),
    [
        ("fly", {}, "op", "`op` must be one of activity, "),
        ("mark", {"all": True}, "all", "`all` is no field of it; allowed: none"),
        ("spawn", {}, "argv", "`argv` is missing; it is a list of texts"),
        ("spawn", {"argv": []}, "argv", "`argv` must be a list of texts, one at least, not []"),
        ("spawn", {"argv": ["/no/such"]}, "argv", "/no/such cannot be started: "),
        ("spawn", {"argv": ["true"], "cwd": "/no/such"}, "argv", "true cannot be started: "),
        ("spawn", {"argv": ["true"], "nofile": 1 << 40}, "nofile", "`nofile` must be at most "),
        ("spawn", {"argv": ["true"], "env": {"A": 1}}, "env", "`env` must be a table of texts"),
        ("input", {"data": "x"}, "pid", "nothing was spawned here"),
        ("input", {"data": "x", "pid": 1}, "pid", "`pid` must be a process that was spawned here"),
        ("hold-output", {"hold": True}, "pid", "nothing was spawned here"),
        ("snapshot", {"port": "http"}, "port", "`port` must be a port from 1 to 65535, not 'http'"),
        ("snapshot", {"prot": 1}, "prot", "`prot` is no field of it; allowed: label, port, addres"),
        ("wait", {"within_s": 1}, "condition", "`condition` is missing"),
        ("wait", {"condition": {"exited": {}}}, "within_s", "`within_s` is missing"),
        ("wait", {"condition": {}, "within_s": 1}, "condition", "`condition` must be a table with"),
        ("wait", {"condition": {"no": {}}, "within_s": 1}, "condition", "`condition` must be one "),
        (
            "wait",
            {"condition": {"exited": {}}, "within_s": -1},
            "within_s",
            "`within_s` must be seconds, 0 or more, not -1",
        ),
        ("signal", {"signal": "SIGNOT"}, "signal", "`signal` must be the name of a signal"),
        ("signal", {"signal": "TERM", "who": "me"}, "who", '`who` must be "main" or "all", not'),
        ("signal", {"signal": "TERM"}, "who", "the subject has no main process running"),
        ("freeze", {}, None, "the subject has no process running"),
        ("thaw", {}, None, "the subject has no process running"),
        ("limit", {"nofile": -1}, "nofile", "`nofile` must be a whole number, 0 or more, not -1"),
        ("limit", {"nofile": True}, "nofile", "`nofile` must be a whole number, 0 or more, not T"),
        ("limit", {"nofile": 100}, None, "no such process of the subject is running"),
        ("activity", {"within_s": 1}, "every_s", "`every_s` is missing"),
        ("activity", {"within_s": 1, "every_s": 0}, "every_s", "`every_s` must be at least"),
        ("rule-add", {"rule": {"port": 0}}, "rule.port", "`rule.port` must be a port"),
        ("rule-list", {"all": True}, "all", "`all` is no field of it"),
    ],
)
def test_request_is_refused_by_field(
    probe: Driver, op: str, fields: dict[str, Any], field: str | None, error: str
) -> None:
    with pytest.raises(Refused) as refused:
        probe.ask(op, **fields)
    assert str(refused.value).startswith(error)
    assert "\n" not in str(refused.value)
    assert refused.value.answer.get("field") == field


def test_a_refusal_carries_what_is_allowed(probe: Driver) -> None:
    with pytest.raises(Refused) as refused:
        probe.ask("snapshot", port=0)
    assert refused.value.answer["allowed"] == "a port from 1 to 65535"


@pytest.mark.parametrize(
    ("condition", "field", "error"),
    [
        ({"listening": 0}, "listening.port", "must be a port"),
        ({"gone": {}}, "gone.peers", "names nobody"),
        ({"gone": {"peers": ["10.0.0.1"]}}, "gone.peers", "must be a list of addresses"),
        ({"gone": {"peers": [["10.0.0.1", 0]]}}, "gone.peers", "must be a list of addresses"),
        ({"connections": {"port": 1, "states": ["OPEN"]}}, "connections.states", "must be a list"),
        ({"queue": {"peers": [["10.0.0.1", 1]]}}, "queue", "needs a bound"),
        ({"queue": {"peers": [["10.0.0.1", 1]], "sendq_at_most": 1}}, "queue", "needs a bound"),
        ({"counter": {"name": "Lost", "above": 1}}, "counter.name", "must be one of "),
        ({"stopped": {"all": True}}, "stopped.all", "is no field of it"),
        ({"idle": {"for_s": 1}}, "idle.cpu_share_at_most", "is missing"),
        ({"exited": 1}, "exited", "must be a table, not 1"),
    ],
)
def test_condition_is_refused_by_field(
    probe: Driver, condition: dict[str, Any], field: str, error: str
) -> None:
    with pytest.raises(Refused) as refused:
        probe.ask("wait", condition=condition, within_s=0)
    assert str(refused.value).startswith(f"`condition.{field}` {error}")
    assert refused.value.answer["field"] == f"condition.{field}"


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
