"""The wire against real kernels: what is done to a packet is what TCP sees."""

from __future__ import annotations

import errno
import os
import socket
import time

from tests.wire.cell import ADDRESSES, GENEROUS_S, Cell, in_cell
from tests.wire.sockets import counter, error_of, info, received, transferred

_REPLY = os.urandom(200_000)


@in_cell
def test_only_the_fin_is_lost_and_sent_again(cell: Cell) -> None:
    client, server = cell.pair()
    rule = cell.rule(action="drop", direction="in", flags="FIN", count=1)
    client.sendall(b"hello")
    assert server.recv(100) == b"hello"
    client.close()
    assert server.recv(100) == b""  # it came by a retransmission
    counts = cell.ask("rule-remove", rule=rule)
    assert counts["taken"] == 1, counts
    assert counts["decided"] == counts["matched"] >= 3, counts
    assert cell.faults == []


@in_cell
def test_the_third_segment_of_a_reply_is_lost_three_times(cell: Cell) -> None:
    client, server = cell.pair()
    rule = cell.rule(action="drop", direction="out", payload=True, nth=3, count=3)
    assert transferred(server, client, _REPLY) == _REPLY
    assert cell.ask("rule-remove", rule=rule)["taken"] == 3
    assert cell.faults == []


@in_cell
def test_delay_is_seen_as_round_trip(cell: Cell) -> None:
    client, server = cell.pair()
    cell.rule(action="delay", delay_ms=50)
    began = time.monotonic()
    client.sendall(b"x")
    server.recv(1)
    server.sendall(b"y")
    client.recv(1)
    assert time.monotonic() - began >= 0.1
    assert cell.faults == []


@in_cell
def test_a_delayed_packet_has_left_the_host(cell: Cell) -> None:
    """A delay above the retransmission timeout is met by a retransmission, as on a long path."""
    client, server = cell.pair()
    rule = cell.rule(action="delay", direction="out", delay_ms=700)
    before = counter("TCPSpuriousRtxHostQueues")
    server.sendall(b"x")
    assert client.recv(1) == b"x"
    cell.ask("rule-remove", rule=rule)
    assert counter("TCPSpuriousRtxHostQueues") == before
    assert info(server).retransmissions >= 1
    assert cell.faults == []


@in_cell
def test_doubled_packets_are_reported_by_dsack_on_both_sides(cell: Cell) -> None:
    client, server = cell.pair()
    cell.rule(action="double", payload=True)
    assert transferred(server, client, _REPLY) == _REPLY
    assert transferred(client, server, _REPLY) == _REPLY
    assert counter("TCPDSACKRecv") > 0
    assert info(server).duplicates_reported > 0
    with cell.outside():
        assert counter("TCPDSACKRecv") > 0
    assert info(client).duplicates_reported > 0
    assert cell.faults == []


@in_cell
def test_swapped_packets_arrive_out_of_order(cell: Cell) -> None:
    for direction in ("in", "out"):
        client, server = cell.pair()
        sender, receiver = (client, server) if direction == "in" else (server, client)
        rule = cell.rule(action="swap", direction=direction, payload=True, nth=1)
        sender.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sender.sendall(b"one ")
        sender.sendall(b"two ")
        assert received(receiver, 8) == b"one two "
        assert info(receiver).out_of_order == 1
        counts = cell.ask("rule-remove", rule=rule)
        assert counts["taken"] == 1, counts
    assert cell.faults == []


@in_cell
def test_a_swapped_packet_goes_on_alone_when_none_follows(cell: Cell) -> None:
    client, server = cell.pair()
    cell.rule(action="swap", direction="in", payload=True, nth=1, delay_ms=20)
    client.sendall(b"alone")
    assert server.recv(100) == b"alone"
    assert info(client).retransmissions == 0
    assert cell.faults == []


@in_cell
def test_a_rate_is_kept(cell: Cell) -> None:
    client, server = cell.pair()
    size, bps = 50_000, 1_000_000
    cell.rule(action="rate", direction="out", rate_bps=bps)
    began = time.monotonic()
    assert len(transferred(server, client, _REPLY[:size])) == size
    burst = 3000  # bytes that may go at once
    assert time.monotonic() - began >= (size - burst) * 8 / bps
    assert cell.faults == []


@in_cell
def test_loss_by_chance_leaves_the_reply_whole(cell: Cell) -> None:
    client, server = cell.pair()
    rule = cell.rule(action="drop", probability=0.1, seed=7)
    assert transferred(server, client, _REPLY) == _REPLY
    assert cell.ask("rule-remove", rule=rule)["taken"] > 0
    assert cell.faults == []


@in_cell
def test_a_reset_answers_the_server(cell: Cell) -> None:
    client, server = cell.pair()
    cell.rule(action="reset", direction="out", payload=True)
    server.sendall(b"x")
    assert error_of(server) == errno.ECONNRESET
    client.setblocking(False)
    assert error_of(client) == errno.EAGAIN  # it saw nothing
    assert cell.faults == []


@in_cell
def test_a_reset_answers_the_client(cell: Cell) -> None:
    client, server = cell.pair()
    cell.rule(action="reset", direction="in", payload=True)
    client.sendall(b"x")
    assert error_of(client) == errno.ECONNRESET
    server.setblocking(False)
    assert error_of(server) == errno.EAGAIN
    assert cell.faults == []


@in_cell
def test_a_reset_answers_a_first_syn(cell: Cell) -> None:
    with cell.listen():
        cell.rule(action="reset", direction="in", flags="SYN")
        try:
            cell.connect()
        except ConnectionRefusedError:
            return
    raise AssertionError("connected")


@in_cell
def test_a_vanished_peer_is_found_by_the_user_timeout(cell: Cell) -> None:
    """To TCP, what was dropped had been sent: it is retransmitted, and the timer backs off."""
    client, server = cell.pair()
    server.setsockopt(socket.IPPROTO_TCP, 18, 1500)  # TCP_USER_TIMEOUT, ms
    rule = cell.rule(action="drop")
    began = time.monotonic()
    server.sendall(b"x")
    assert cell.ask("rule-wait", rule=rule, taken=3, within_s=GENEROUS_S)["taken"] >= 3
    seen = info(server)
    assert seen.unacknowledged == 1, seen
    assert seen.retransmissions >= 2, seen
    assert seen.backoff >= 1, seen
    assert error_of(server) == errno.ETIMEDOUT
    assert time.monotonic() - began >= 1.3
    assert cell.faults == []
    client.close()


@in_cell
def test_one_peer_vanishes_and_the_other_does_not_notice(cell: Cell) -> None:
    gone, _ = cell.pair()
    client, server = cell.pair()
    rule = cell.rule(action="drop", peer=list(gone.getsockname()[:2]))
    gone.close()
    client.sendall(b"still here")
    assert server.recv(100) == b"still here"
    assert cell.ask("rule-wait", rule=rule, within_s=GENEROUS_S)["taken"] == 1
    client.close()
    counts = cell.ask("rule-remove", rule=rule)
    assert counts["decided"] == counts["taken"], counts
    assert cell.faults == []


@in_cell
def test_a_healed_network_delivers_what_it_held(cell: Cell) -> None:
    client, server = cell.pair()
    rule = cell.rule(action="delay", delay_ms=60_000)
    client.sendall(b"late")
    cell.ask("rule-wait", rule=rule, within_s=GENEROUS_S)
    cell.ask("rule-remove", rule=rule)
    assert server.recv(100) == b"late"
    assert cell.faults == []


@in_cell
def test_the_first_rule_that_takes_a_packet_decides(cell: Cell) -> None:
    client, server = cell.pair()
    first = cell.rule(action="delay", delay_ms=10, direction="in", payload=True)
    second = cell.rule(action="drop", direction="in", payload=True)
    client.sendall(b"x")
    assert server.recv(1) == b"x"
    counts = {row["rule"]: row for row in cell.ask("rule-list")["rules"]}
    assert [counts[first]["taken"], counts[second]["taken"]] == [1, 0], counts
    assert counts[first]["decided"] == counts[second]["decided"], counts
    assert cell.faults == []


@in_cell
def test_a_rule_for_every_peer_holds_for_both_families(cell: Cell) -> None:
    rule = cell.rule(peer=None, action="delay", delay_ms=1)
    for cell.ip in (4, 6):
        cell.server_address = ADDRESSES[cell.ip][0]
        cell.pair()
    counts = cell.ask("rule-remove", rule=rule)
    assert counts["taken"] >= 6, counts
    assert cell.faults == []
