"""The wire against real kernels: what is done to a packet is what TCP sees."""

from __future__ import annotations

import errno
import socket
import time

from tests.wire.cell import Cell, in_cell


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
def test_delay_is_seen_as_round_trip(cell: Cell) -> None:
    client, server = cell.pair()
    cell.rule(action="delay", delay_ms=100)
    began = time.monotonic()
    client.sendall(b"x")
    server.recv(1)
    server.sendall(b"y")
    client.recv(1)
    assert time.monotonic() - began >= 0.2
    assert cell.faults == []
