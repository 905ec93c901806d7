"""Conditions on sockets: each is seen not to hold, then to hold; and how waiting ends."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from tests.ipv6 import needs_ipv6
from tests.probe.clients import connected, name, reset
from tests.probe.driver import Driver, Refused
from tests.waiting import wait_until


def not_yet(probe: Driver, condition: dict[str, Any]) -> str:
    """What a wait that ends at once says of a condition that does not hold."""
    with pytest.raises(Refused) as refused:
        probe.wait(condition, within_s=0)
    assert refused.value.answer["timeout"] is True
    assert "sockets" in refused.value.answer["last"]
    assert str(refused.value).endswith(f"last seen: {refused.value.answer['seen']}")
    return str(refused.value)


def test_listening_is_by_a_process_of_the_subject(probe: Driver) -> None:
    probe.ask("spawn", argv=["sleep", "1000"])
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = stranger.getsockname()[1]
        assert "but no process of the subject" in not_yet(probe, {"listening": port})
    said = not_yet(probe, {"listening": {"port": port}})
    assert f"nobody listens on port {port}; its main process runs" in said


@needs_ipv6
@pytest.mark.parametrize(
    ("name", "hears_ipv4"), [("keep ::", True), ("keep_ipv6_only", False)], ids=["both", "ipv6"]
)
def test_listening_at_every_address_of_ipv6(name: str, hears_ipv4: bool, probe: Driver) -> None:
    _, port = probe.subject(*name.split())
    probe.wait({"listening": {"port": port, "address": "::1"}})
    here = {"listening": {"port": port, "address": "127.0.0.1"}}
    if hears_ipv4:
        probe.wait(here)
    else:
        assert f"nobody listens on port {port}" in not_yet(probe, here)
    [row] = [row for row in probe.snapshot(port)["sockets"] if row["state"] == "LISTEN"]
    assert row["v6only"] is not hears_ipv4


def test_listening_names_a_main_that_has_ended(probe: Driver) -> None:
    pid = probe.ask("spawn", argv=["false"])["pid"]
    assert probe.event("exited", pid=pid)["status"] == 1
    assert "it has no main process running" in not_yet(probe, {"listening": 1})


def test_answer_says_when_and_what(probe: Driver) -> None:
    _, port = probe.subject("keep")
    answer = probe.ask("wait", condition={"listening": port}, within_s=5, label="begin")
    assert answer["seen"] == f"it listens on 127.0.0.1:{port}"
    assert 0 <= answer["after_s"] < 5
    assert answer["snapshot"]["label"] == "begin"


def test_gone_while_open_then_closed(probe: Driver) -> None:
    _, port = probe.subject("close_at_end")
    with connected(port) as (client,):
        gone = {"gone": {"port": port, "peers": [name(client)]}}
        probe.wait({"accepted": {"port": port, "peers": [name(client)]}})
        assert "1 connections are still there: 127.0.0.1:" in not_yet(probe, gone)
        client.close()
        probe.wait(gone)


def test_gone_is_not_fooled_by_a_reset_socket_that_stays_open(probe: Driver) -> None:
    pid, port = probe.subject("keep")
    with connected(port, 2) as (first, second):
        probe.wait({"accepted": {"port": port, "peers": [name(first), name(second)]}})
        reset(second)
    (dead,) = _wait_for_dead(probe, port)
    said = not_yet(probe, {"gone": {"port": port, "peers": [dead["peer"]]}})
    assert f"descriptor {dead['owners'][0][1]} of process {pid} on socket:[{dead['inode']}]" in said
    assert "descriptors are still open" in not_yet(probe, {"gone": {"inodes": [dead["inode"]]}})
    probe.wait({"gone": {"inodes": [1]}}, within_s=0)


def _wait_for_dead(probe: Driver, port: int) -> list[dict[str, Any]]:
    return wait_until(
        "a dead socket",
        lambda: [row for row in probe.snapshot(port)["sockets"] if row["state"] == "CLOSED"],
    )


def test_gone_counts_those_that_were_never_accepted(probe: Driver) -> None:
    pid, port = probe.subject("accept_when_told")
    with connected(port) as (client,):
        peer = name(client)
        probe.wait({"accept_queue": {"port": port, "at_least": 1}})
    probe.wait({"connections": {"port": port, "states": ["CLOSE-WAIT"], "at_least": 1}})
    assert "in CLOSE-WAIT" in not_yet(probe, {"gone": {"port": port, "peers": [peer]}})
    probe.ask("signal", signal="KILL")
    probe.event("exited", pid=pid)
    probe.wait({"gone": {"port": port, "peers": [peer]}})


def test_only_names_strangers_and_dead_descriptors(probe: Driver) -> None:
    _, port = probe.subject("keep")
    with connected(port, 2) as (bystander, other):
        probe.wait({"connections": {"port": port, "at_least": 2}})
        only = {"only": {"port": port, "peers": [name(bystander)]}}
        assert "1 connections are there beside" in not_yet(probe, only)
        probe.wait({"only": {"port": port, "peers": [name(bystander), name(other)]}})
        reset(other)
        (dead,) = _wait_for_dead(probe, port)
        assert f"dead sockets are still open: socket:[{dead['inode']}]" in not_yet(probe, only)
        probe.wait({"only": only["only"] | {"inodes": [dead["inode"]]}})


def test_accepted_and_accept_queue(probe: Driver) -> None:
    _, port = probe.subject("accept_when_told")
    empty = {"accept_queue": {"port": port, "at_most": 0}}
    with connected(port) as (client,):
        accepted = {"accepted": {"port": port, "peers": [name(client)]}}
        probe.wait({"accept_queue": {"port": port, "at_least": 1}})
        assert "1 connections wait in the accept queue" in not_yet(probe, empty)
        assert f"not accepted yet: 127.0.0.1:{client.getsockname()[1]}" in not_yet(probe, accepted)
        probe.ask("input", data="accept\n")
        probe.wait(accepted)
        probe.wait(empty)
    stranger = {"accepted": {"port": port, "peers": [["127.0.0.1", 1]]}}
    assert "there is no connection with 127.0.0.1:1" in not_yet(probe, stranger)


def test_connections_by_state(probe: Driver) -> None:
    _, port = probe.subject("take_and_keep")
    two = {"connections": {"port": port, "at_least": 2, "at_most": 2}}
    with connected(port, 2) as (first, _):
        probe.wait(two)
        first.close()
        halves = [
            {"connections": {"port": port, "states": [state], "at_least": 1, "at_most": 1}}
            for state in ("CLOSE-WAIT", "ESTABLISHED")
        ]
        for half in halves:
            probe.wait(half)
        three = {"connections": {"port": port, "at_least": 3}}
        assert "2 connections in the states asked for (rows: 1 CLOSE-WAIT" in not_yet(probe, three)


def test_queue_by_bounds_and_states(probe: Driver) -> None:
    _, port = probe.subject("keep")
    with connected(port, 2) as (client, other):
        client.sendall(b"x" * 10)
        queue = {"peers": [name(client)], "port": port, "recv_q_at_least": 10}
        probe.wait({"queue": queue})
        probe.wait({"queue": queue | {"bytes_received_at_most": 10}}, within_s=0)
        probe.wait({"queue": queue | {"states": ["ESTABLISHED"]}}, within_s=0)
        for more in ({"recv_q_at_most": 9}, {"send_q_at_least": 1}, {"states": ["CLOSE-WAIT"]}):
            assert "is ESTABLISHED with recv_q 10" in not_yet(probe, {"queue": queue | more})
        both = {"queue": queue | {"peers": [name(client), name(other)]}}
        assert f"{name(other)[1]} is ESTABLISHED with recv_q 0" in not_yet(probe, both)
        other.sendall(b"y" * 10)
        probe.wait(both)
    absent = {"queue": {"peers": [["127.0.0.1", 1]], "recv_q_at_least": 0}}
    assert "there is no connection with 127.0.0.1:1" in not_yet(probe, absent)


def test_counter_rises_when_the_accept_queue_overflows(probe: Driver) -> None:
    _, port = probe.subject("accept_when_told")
    name_ = "ListenOverflows"
    before = probe.snapshot()["counters"][name_]
    above = {"counter": {"name": name_, "above": before}}
    clients = [socket.socket() for _ in range(20)]
    for client in clients:
        client.setblocking(False)
        client.connect_ex(("127.0.0.1", port))
    after = probe.wait(above)["counters"][name_]
    assert after > before
    with pytest.raises(Refused, match=f"{name_} is"):
        probe.wait({"counter": {"name": name_, "above": 1 << 40}}, within_s=0)
    for client in clients:
        client.close()


def test_many_wait_at_once(probe: Driver) -> None:
    _, port = probe.subject("close_at_end")
    with connected(port, 5) as clients:
        gone = [{"gone": {"port": port, "peers": [name(client)]}} for client in clients]
        numbers = [probe.send("wait", condition=one, within_s=30) for one in gone]
        forever = probe.send("wait", condition={"exited": {}}, within_s=0.2)
    for number in numbers:
        assert probe.answer(number)["ok"]
    assert probe.answer(forever)["timeout"]
