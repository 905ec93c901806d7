"""What the view knows, from what probe, clients and server say."""

from __future__ import annotations

import json
from typing import Any

import pytest

from iolab.harness.live.log import address
from iolab.harness.live.panels import ended_well
from iolab.harness.live.state import State
from tests.live.recording import fresh, replay


def log(state: State, event: str, **fields: Any) -> None:
    state.log.take(1.0, json.dumps({"event": event, **fields}))


def test_a_recorded_run() -> None:
    state = replay("select")
    assert state.pid is not None
    assert state.main is not None
    assert state.main.syscall == "pselect6"
    assert {row.client for row in state.connections} <= set(state.clients)
    for row in state.connections:
        assert row.number is None or state.log.client_of(row.number) == row.client
    assert state.log.accepted > 8
    assert state.log.closed["eof"] > 1
    assert state.descriptors >= len(state.connections) + 3
    assert max(state.shares().items(), key=lambda item: item[1])[0] == ("pselect6", None)


def test_connections_that_wait_to_be_accepted() -> None:
    state = replay("blocking")
    assert sum(row.waits_for_accept for row in state.connections) == 9
    assert [row.client for row in state.connections if row.fd is not None] == ["steady"]
    assert state.open_of("steady") == 1
    assert state.open_of("chatty") == 0


def test_a_peer_that_has_left() -> None:
    state = fresh()
    row = {"state": "CLOSE-WAIT", "peer": ["10.0.0.3", 5], "inode": 9, "owners": [[1, 7]]}
    figures = {"recv_q": 0, "send_q": 0, "age_s": 1.0}
    kept = {"state": "TIME-WAIT", "peer": ["10.0.0.3", 4], "inode": 0, "owners": []}
    state.take(
        {"t": 1.0, "main": None, "processes": [], "sockets": [row | figures, kept | figures]}
    )
    assert [one.is_left for one in state.connections] == [True]
    assert dict(state.kernel_only) == {"TIME-WAIT": 1}


def test_a_number_belongs_to_whoever_connected_with_it() -> None:
    state = fresh()
    state.arrive("steady", "10.0.0.3")
    log(state, "accepted", client=4, peer="10.0.0.3:5000")
    assert state.log.client_of(4) == "steady"
    assert state.log.numbers == {("10.0.0.3", 5000): 4}
    log(state, "closed", client=4, peer="10.0.0.3:5000", reason="eof", messages=2)
    assert state.log.client_of(4) is None
    assert state.log.numbers == {}
    assert [line.client for line in state.log.lines] == ["steady", "steady"]
    assert state.log.lines[-1].text == "eof after 2 messages"


def test_an_address_that_is_used_again() -> None:
    state = fresh()
    log(state, "accepted", client=4, peer="10.0.0.3:5000")
    log(state, "accepted", client=9, peer="10.0.0.3:5000")
    log(state, "closed", client=4, peer="10.0.0.3:5000", reason="eof", messages=0)
    assert state.log.numbers == {("10.0.0.3", 5000): 9}


def test_a_visitor_is_known_after_it_has_left() -> None:
    state = fresh()
    state.add_client("you", "A person.", visitor=True)
    state.arrive("you", "10.0.0.11")
    state.leave("you")
    assert "you" not in state.clients
    assert state.whose(("10.0.0.11", 5)) == "you"


def test_questions_wait_until_they_are_answered() -> None:
    state = fresh(reply="operator")
    for number, text in ((1, "first"), (2, "other"), (1, "second")):
        log(state, "message", client=number, size=5, text=text)
    assert [one.text for one in state.log.questions] == ["first", "other", "second"]
    log(state, "answered", client=1, text="yes")
    assert [one.text for one in state.log.questions] == ["other", "second"]
    log(state, "closed", client=2, peer="10.0.0.3:1", reason="eof", messages=1)
    assert [one.text for one in state.log.questions] == ["second"]


def test_messages_of_an_echo_server_wait_for_nobody() -> None:
    state = fresh()
    log(state, "message", client=1, size=5, text="hello")
    assert state.log.questions == []


def test_the_list_of_clients_is_shown() -> None:
    state = fresh(reply="operator")
    log(
        state,
        "clients",
        clients=[
            {"client": 1, "peer": "10.0.0.3:1", "state": "OPEN", "waiting": 0},
            {"client": 2, "peer": "10.0.0.4:1", "state": "OPEN", "waiting": 2},
        ],
    )
    assert [line.text for line in state.log.lines] == [
        "2 clients connected",
        "OPEN, nothing waits",
        "OPEN, 2 messages wait",
    ]


def test_what_is_no_event_is_shown_as_it_is() -> None:
    state = fresh()
    for text in ("Traceback (most recent call last):", "[1, 2]", '"x"', "{"):
        state.log.take(1.0, text)
    assert state.log.lines[0].text.startswith("Traceback")
    assert state.log.total == 4


def test_figures_of_a_client_outlive_its_connections() -> None:
    state = fresh()
    client = state.clients["steady"]
    state.arrive("steady", "10.0.0.3")
    report = {"connection": "steady#0", "messages": 5, "replies": 4, "unanswered": 3.0}
    status = {**report, "step": {"doing": "asking"}, "latency_s": 0.002, "outcome": "running"}
    client.take({"event": "status", "running": 1, "connections": [status]})
    assert (client.messages, client.replies, client.latency_s) == (5, 4, 0.002)
    assert client.unanswered_s(10.0) == 7.0
    assert client.doing == "asking"
    failure = {"kind": "late", "detail": "no reply within 5 s"}
    client.take({"event": "ended", **report, "outcome": "failed", "failure": failure})
    assert (client.messages, client.replies) == (5, 4)
    assert client.failures == {"late": 1}
    assert client.last_failure == "late: no reply within 5 s"
    assert client.doing == "coming back"


def test_what_many_connections_do() -> None:
    state = fresh()
    client = state.add_client("crowd", "Many.", 30)
    shown = [
        {"connection": f"crowd#{number}", "messages": 1, "replies": 1, "unanswered": None}
        | {"step": {"doing": "asking" if number < 15 else "idle"}, "latency_s": None}
        for number in range(20)
    ]
    client.take({"event": "status", "running": 30, "connections": shown})
    assert client.doing == "30, as: 15 asking · 5 idle"


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("10.0.0.3:80", ("10.0.0.3", 80)),
        ("[::1]:80", ("::1", 80)),
        ("[::ffff:10.0.0.3]:80", ("10.0.0.3", 80)),
    ],
)
def test_addresses(text: str, parsed: tuple[str, int]) -> None:
    assert address(text) == parsed


@pytest.mark.parametrize(("reason", "well"), [("eof", True), ("idle-timeout", False)])
def test_why_a_connection_was_closed_is_kept_by_its_name(reason: str, well: bool) -> None:
    state = replay("select")
    log(state, "closed", client=4, peer="10.0.0.3:5000", reason=reason, messages=2)
    line = state.log.lines[-1]
    assert line.reason == reason
    assert ended_well(line) is well
