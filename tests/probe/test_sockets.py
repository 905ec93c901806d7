"""Sockets in a snapshot: rows, owners, and what is left of a connection at every end of it."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from iolab.harness.beside.probe.procnet import ProcNet, open_table
from iolab.harness.beside.probe.sockets import InetDiag, Row
from tests.ipv6 import IPV6_LOOPBACK, needs_ipv6
from tests.probe.clients import connected, name, reset
from tests.probe.driver import Driver


def rows(snapshot: dict[str, Any], state: str) -> list[dict[str, Any]]:
    """The rows in that state."""
    return [row for row in snapshot["sockets"] if row["state"] == state]


def test_listener(probe: Driver) -> None:
    pid, port = probe.subject("keep")
    snapshot = probe.snapshot(port)
    (row,) = rows(snapshot, "LISTEN")
    assert row["local"] == ["127.0.0.1", port]
    assert row["family"] == 4
    assert (row["recv_q"], row["send_q"]) == (0, 128)
    assert row["owners"] == [[pid, 3]]
    assert snapshot["source"] == "inet_diag"
    assert snapshot["main"] == pid
    assert snapshot["processes"][0]["fds"]["3"] == f"socket:[{row['inode']}]"


def test_connection_with_its_owner_queues_and_info(probe: Driver) -> None:
    pid, port = probe.subject("keep")
    with connected(port) as (client,):
        client.sendall(b"x" * 1000)
        snapshot = probe.wait({"queue": {"peers": [name(client)], "recv_q_at_least": 1000}})
        (row,) = rows(snapshot, "ESTABLISHED")
        assert row["peer"] == name(client)
        assert row["local"] == ["127.0.0.1", port]
        assert row["owners"] == [[pid, 4]]
        assert (row["recv_q"], row["bytes_received"]) == (1000, 1000)
        assert row["rto_s"] > 0
        assert row["timer"] is None
        assert row["age_s"] >= 0
        assert row["uid"] == os.getuid()


def test_only_rows_that_concern_the_subject(probe: Driver) -> None:
    _, port = probe.subject("keep")
    with socket.create_server(("127.0.0.1", 0)), connected(port):
        snapshot = probe.snapshot(port)
        assert {row["local"][1] for row in snapshot["sockets"]} == {port}


def test_address_keeps_out_the_same_port_elsewhere(probe: Driver) -> None:
    pid = probe.ask("spawn", argv=["sleep", "1000"])["pid"]
    with socket.create_server(("127.0.0.2", 0)) as stranger:
        port = stranger.getsockname()[1]
        assert len(rows(probe.snapshot(port), "LISTEN")) == 1
        here = probe.ask("snapshot", port=port, address="127.0.0.1")["snapshot"]
        assert rows(here, "LISTEN") == []
        assert here["main"] == pid


def test_row_in_the_accept_queue(probe: Driver) -> None:
    _, port = probe.subject("accept_when_told")
    with connected(port, 3) as clients:
        snapshot = probe.wait({"accept_queue": {"port": port, "at_least": 3}})
        (listener,) = rows(snapshot, "LISTEN")
        assert (listener["recv_q"], listener["send_q"]) == (3, 16)
        waiting = rows(snapshot, "ESTABLISHED")
        assert sorted(row["peer"] for row in waiting) == sorted(map(name, clients))
        assert [(row["inode"], row["owners"]) for row in waiting] == [(0, [])] * 3


@needs_ipv6
def test_ipv4_in_ipv6_is_shown_as_ipv4(probe: Driver) -> None:
    _, port = probe.subject("keep", "::")
    with connected(port) as (four,), connected(port, host="::1") as (six,):
        peers = [name(four), name(six)]
        snapshot = probe.wait({"accepted": {"port": port, "peers": peers}})
        seen = {tuple(row["peer"]): row for row in rows(snapshot, "ESTABLISHED")}
        assert seen["127.0.0.1", name(four)[1]]["family"] == 4
        assert seen["127.0.0.1", name(four)[1]]["local"] == ["127.0.0.1", port]
        assert seen["::1", name(six)[1]]["family"] == 6
        assert rows(snapshot, "LISTEN")[0]["local"] == ["::", port]


def test_close_wait_keeps_its_descriptor(probe: Driver) -> None:
    pid, port = probe.subject("take_and_keep")
    with connected(port) as (client,):
        peer = name(client)
    snapshot = probe.wait({"connections": {"port": port, "states": ["CLOSE-WAIT"], "at_least": 1}})
    (row,) = rows(snapshot, "CLOSE-WAIT")
    assert row["peer"] == peer
    assert row["owners"] == [[pid, 4]]


def test_reset_loses_the_row_and_not_the_descriptor(probe: Driver) -> None:
    pid, port = probe.subject("keep")
    with connected(port) as (client,):
        peer = name(client)
        (before,) = rows(probe.wait({"accepted": {"port": port, "peers": [peer]}}), "ESTABLISHED")
        reset(client)
    snapshot = probe.wait({"unlisted": {"port": port, "peers": [peer]}})
    (row,) = rows(snapshot, "CLOSED")
    assert row["peer"] == peer
    assert row["local"] == ["127.0.0.1", port]
    assert row["inode"] == before["inode"]
    assert row["owners"] == before["owners"] == [[pid, 4]]
    assert row["last_state"] == "ESTABLISHED"
    assert row["row_gone_s"] >= 0


def test_server_that_closed_first_leaves_time_wait(probe: Driver) -> None:
    _, port = probe.subject("close_at_end")
    with connected(port) as (client,):
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""
    snapshot = probe.snapshot(port)
    assert rows(snapshot, "CLOSE-WAIT") == []
    assert all(row["inode"] == 0 for row in snapshot["sockets"] if row["state"] != "LISTEN")


def test_every_socket_descriptor_is_accounted_for(probe: Driver) -> None:
    code = (
        "import signal, socket; kept = [socket.socket(), *socket.socketpair(), "
        "socket.socket(type=socket.SOCK_DGRAM)]; print('there', flush=True); signal.pause()"
    )
    pid = probe.ask("spawn", argv=["python3", "-c", code])["pid"]
    assert probe.line(pid) == "there"
    snapshot = probe.snapshot()
    (fresh,) = rows(snapshot, "CLOSED")
    assert (fresh["local"], fresh["peer"], fresh["last_state"]) == (None, None, None)
    inodes = {row["inode"] for row in snapshot["sockets"]} | set(snapshot["other_sockets"])
    opened = snapshot["processes"][0]["fds"].values()
    assert {f"socket:[{inode}]" for inode in inodes} == {
        target for target in opened if target.startswith("socket:")
    }
    assert len(snapshot["other_sockets"]) == 3


def test_notice_of_a_dead_socket(probe: Driver) -> None:
    _, port = probe.subject("close_at_end")
    probe.snapshot(port)  # from now on, that port concerns us
    with connected(port) as (client,):
        client.sendall(b"x" * 100)
        peer = name(client)
        probe.wait({"accepted": {"port": port, "peers": [peer]}})
    notice = probe.event("destroyed", peer=peer)
    assert notice["local"] == ["127.0.0.1", port]
    assert notice["info"]["bytes_received"] >= 100


def test_counters(probe: Driver) -> None:
    counters = probe.snapshot()["counters"]
    assert {"ListenOverflows", "ListenDrops", "TCPAbortOnData", "ActiveOpens"} <= set(counters)


@pytest.fixture
def inet_diag() -> Iterator[InetDiag]:
    """The table by netlink, in this process."""
    table = InetDiag()
    yield table
    table.close()


@pytest.mark.parametrize("host", ["127.0.0.1", IPV6_LOOPBACK])
def test_proc_net_tells_the_same(inet_diag: InetDiag, host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as listener:
        port = listener.getsockname()[1]
        with connected(port, 2, host) as (first, _), listener.accept()[0] as accepted:
            first.sendall(b"x" * 10)

            def comparable(found: list[Row]) -> Sequence[object]:
                return sorted(
                    (row.family, row.state, row.local, row.peer, row.inode, row.recv_q, row.uid)
                    for row in found
                    if row.state != "TIME-WAIT"  # left by whoever had the port before
                )

            text = ProcNet("a test")
            assert comparable(text.rows(port)) == comparable(inet_diag.rows(port))
            assert len(comparable(text.rows(port))) == 3
            inodes = {os.fstat(accepted.fileno()).st_ino}
            assert comparable(text.held(inodes)) == comparable(inet_diag.held(inodes))


def test_proc_net_is_taken_when_inet_diag_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: InetDiag) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(InetDiag, "__init__", refuse)
    source = open_table().source
    assert source == "/proc/net/tcp (inet_diag: [Errno 1] Operation not permitted)"
