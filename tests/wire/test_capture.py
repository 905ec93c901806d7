"""What is seen of the packets, and that nothing is silently missing."""

from __future__ import annotations

import base64
import itertools
import shutil
import subprocess
import time

from tests.wire.cell import PORT, Cell, in_cell
from tests.wire.sockets import transferred

T, DIRECTION, SRC, SPORT, DST, DPORT, FLAGS, SEQ, ACK, LENGTH, WINDOW, VERDICT = range(12)


@in_cell
def test_every_packet_of_a_connection_is_on_record(cell: Cell) -> None:
    began = time.monotonic()
    client, server = cell.pair()
    client.sendall(b"hello")
    server.recv(5)
    client.close()
    server.recv(1)
    server.close()
    seen = cell.ask("packets", peer=[cell.client_address, 0])
    rows = seen["packets"]
    assert [rows[0][FLAGS], rows[1][FLAGS], rows[2][FLAGS]] == ["SYN", "SYN,ACK", "ACK"], rows
    assert [rows[0][DIRECTION], rows[1][DIRECTION]] == ["in", "out"]
    assert rows[0][SRC] == rows[1][DST] == cell.client_address
    assert rows[0][DPORT] == rows[1][SPORT] == PORT
    data = [row for row in rows if row[LENGTH]]
    assert [(row[SEQ], row[LENGTH]) for row in data] == [(rows[0][SEQ] + 1 & 0xFFFFFFFF, 5)]
    assert sum("FIN" in row[FLAGS] for row in rows) == 2
    assert began <= rows[0][T] <= rows[-1][T] <= time.monotonic()
    assert all(row[VERDICT] is None for row in rows)
    assert seen["lost"] == seen["forgotten"] == 0
    assert seen["more"] is False
    assert seen["no_capture"] is None
    assert cell.faults == []


@in_cell
def test_a_verdict_is_told_beside_what_was_captured(cell: Cell) -> None:
    client, server = cell.pair()
    began = time.monotonic()
    rule = cell.rule(action="drop", direction="in", flags="FIN", count=1)
    client.close()
    server.recv(1)
    server.close()
    cell.ask("rule-wait", rule=rule, within_s=1)
    rows = cell.ask("packets", since=began)["packets"]
    fins = [row for row in rows if "FIN" in row[FLAGS] and row[DIRECTION] == "in"]
    assert [row[VERDICT] for row in fins] == [{"rule": rule, "action": "drop"}, None], rows


@in_cell
def test_an_outgoing_packet_is_told_when_sent_and_when_it_left(cell: Cell) -> None:
    client, server = cell.pair()
    rule = cell.rule(action="delay", direction="out", payload=True, delay_ms=50)
    server.sendall(b"x")
    client.recv(1)
    rows = [row for row in cell.ask("packets")["packets"] if row[LENGTH]]
    assert [row[VERDICT] for row in rows] == [
        {"rule": rule, "action": "delay", "delay_ms": 50},
        None,
    ], rows
    assert rows[1][T] - rows[0][T] >= 0.05


@in_cell
def test_the_file_is_one_that_tcpdump_reads(cell: Cell) -> None:
    client, server = cell.pair()
    cell.rule(action="drop", direction="out", payload=True, nth=2)
    transferred(server, client, bytes(10_000))
    rows = cell.ask("packets")["packets"]
    data = base64.b64decode(cell.ask("save")["pcap"])
    assert data[:4] == b"\n\r\r\n"
    assert b"dropped (rule 1)" in data
    if cell.way == "rootless" or shutil.which("tcpdump") is None:
        return  # it is not there, or insists on changing to a user that the namespace has not
    command = ["tcpdump", "-nn", "-r", "-"]
    read = subprocess.run(command, input=data, capture_output=True, check=True)
    lines = read.stdout.decode().splitlines()
    assert len(lines) == len(rows), read
    assert f".{PORT}: Flags [S]," in lines[0], lines[0]


@in_cell
def test_tens_of_thousands_of_packets_are_none_too_many(cell: Cell) -> None:
    client, server = cell.pair()
    size = 25_000
    for _ in range(size):
        client.send(b"x")
        server.recv(1)
    seen = cell.ask("packets", last=20_000)
    assert [len(seen["packets"]), seen["more"], seen["lost"]] == [20_000, True, 0]
    numbers = [row[SEQ] for row in seen["packets"] if row[LENGTH]]
    steps = {(later - former) & 0xFFFFFFFF for former, later in itertools.pairwise(numbers)}
    assert steps == {1}, steps
    assert cell.faults == []
