"""What the wire cannot vouch for, it says: each test breaks it on purpose."""

from __future__ import annotations

import itertools
import os
import re
import struct
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from iolab.client.fields import Invalid
from iolab.harness.beside.loop import Loop
from iolab.harness.beside.ops import RequestError
from iolab.harness.beside.wire import capture, iptables
from iolab.harness.beside.wire.capture import Capture
from tests.waiting import wait_until
from tests.wire.cell import GENEROUS_S, PORT, Cell, in_cell


def two_faults(cell: Cell) -> None:
    wait_until("two faults", lambda: cell.faults, holds=lambda faults: len(faults) >= 2)


@in_cell
def test_a_rule_that_matches_nothing_shows_it(cell: Cell) -> None:
    client, server = cell.pair()
    rule = cell.rule(action="drop", peer=["192.0.2.1", 0])
    client.sendall(b"x")
    assert server.recv(1) == b"x"
    counts = {"rule": rule, "matched": 0, "decided": 0, "taken": 0}
    assert cell.ask("rule-list") == {"rules": [counts]}
    assert cell.ask("rule-remove", rule=rule) == counts
    assert cell.faults == []


@in_cell
def test_a_dead_engine_is_a_fault_and_its_flows_do_not_pass(cell: Cell) -> None:
    client, server = cell.pair()
    cell.rule(action="delay", delay_ms=1)
    _in_loop(cell, lambda: _unbind(_gate(cell)._queue))
    two_faults(cell)
    assert cell.faults[0] == "queue 4267: No such device"
    assert cell.faults[1].startswith("queue 4267: the engine is dead"), cell.faults
    client.sendall(b"x")
    server.settimeout(0.3)
    with pytest.raises(TimeoutError):
        server.recv(1)


@in_cell
def test_packets_that_never_came_to_the_queue_are_a_fault(cell: Cell) -> None:
    """Somebody took the queueing lines away: the rule counts, and nobody decides."""
    client, server = cell.pair()
    rule = cell.rule(action="drop")
    program = "iptables" if cell.ip == 4 else "ip6tables"
    for line in [line for line in cell.saved_tables() if "NFQUEUE" in line]:
        command = [program, "-t", "mangle", *line.replace("-A ", "-D ", 1).split()]
        subprocess.run(command, check=True)
    client.sendall(b"x")
    assert server.recv(1) == b"x"
    assert cell.ask("rule-list")["rules"][0]["matched"] >= 1
    assert any(f"rule {rule}: iptables counted" in fault for fault in cell.faults), cell.faults


@in_cell
def test_a_full_receive_buffer_is_a_fault(cell: Cell) -> None:
    client, _ = cell.pair()
    cell.rule(action="delay", delay_ms=1)
    smallest = 1
    _in_loop(cell, lambda: _gate(cell)._queue._socket.setsockopt(1, 8, smallest))  # SO_RCVBUF
    with _loop_held_up(cell):
        client.sendall(bytes(20_000))
    two_faults(cell)
    assert any("No buffer space available" in fault for fault in cell.faults), cell.faults
    assert any("never reached the engine" in fault for fault in cell.faults), cell.faults


@in_cell
def test_loss_in_the_capture_is_a_fault_and_a_number(cell: Cell) -> None:
    client, server = cell.pair()
    faults: list[str] = []
    loop = Loop()
    capture._RING = 1 << 17
    small = Capture(loop, faults.append)
    for _ in range(3000):
        client.send(b"x")
        server.recv(1)
    # Never at once, for a loop cannot be stopped before it runs.
    loop.call_later(0, lambda: small.complete(loop.stop))
    loop.run()
    kept = list(itertools.chain(*small.newest_first(0)))
    small.close()
    assert small.lost > 0
    assert 0 < len(kept) < 6000
    assert f"the kernel dropped {small.lost} packets" in faults[0]


@in_cell
def test_what_is_not_kept_any_more_is_counted(cell: Cell) -> None:
    client, server = cell.pair()
    capture._KEPT = 1 << 17
    for _ in range(3000):
        client.send(b"x")
        server.recv(1)
    seen = cell.ask("packets")
    assert seen["forgotten"] > 0
    assert seen["lost"] == 0
    assert cell.faults == []


@in_cell
def test_the_end_leaves_no_rule_behind(cell: Cell) -> None:
    before = cell.saved_tables()
    cell.rule(action="drop", peer=None)
    cell.rule(action="delay", delay_ms=5)
    assert cell.saved_tables() != before
    cell.close()
    assert cell.saved_tables() == before


@in_cell
def test_the_end_delivers_what_was_held(cell: Cell) -> None:
    client, server = cell.pair()
    rule = cell.rule(action="delay", delay_ms=60_000, direction="in")
    client.sendall(b"x")
    cell.ask("rule-wait", rule=rule, within_s=GENEROUS_S)
    cell.close()
    assert server.recv(1) == b"x"


@in_cell
def test_chains_of_a_probe_that_was_killed_are_cleared(cell: Cell) -> None:
    cell.rule(action="drop", direction="in")
    left = cell.saved_tables()
    cell.wire._gate = None  # so nobody clears up
    cell.rule(action="drop", direction="in")
    assert len(cell.saved_tables()) == len(left), cell.saved_tables()


def _works_with(cell: Cell, backend: str) -> None:
    iptables._BACKENDS = (backend,)
    client, server = cell.pair()
    rule = cell.rule(action="drop", direction="in", payload=True, nth=1)
    client.sendall(b"x")
    assert server.recv(1) == b"x"  # it came by a retransmission
    counts = cell.ask("rule-remove", rule=rule)
    assert counts["taken"] == 1, counts
    assert counts["matched"] == counts["decided"] >= 2, counts
    cell.close()
    assert cell.faults == []
    assert not any("iolab" in line for line in cell.saved_tables(backend))


@in_cell
def test_the_nft_back_end_works(cell: Cell) -> None:
    _works_with(cell, "-nft")


@in_cell
def test_the_legacy_back_end_works(cell: Cell) -> None:
    _works_with(cell, "-legacy")


@in_cell
def test_whoever_takes_the_exit_statuses_a_change_is_known_by_its_effect(cell: Cell) -> None:
    """The probe reaps every child of its own, those of the wire too."""
    reap = os.waitpid

    def too_late(pid: int, options: int) -> tuple[int, int]:
        reap(pid, options)
        raise ChildProcessError

    os.waitpid = too_late
    rule = cell.rule(action="drop")
    assert cell.ask("rule-remove", rule=rule)["matched"] == 0
    iptables._HOOKS["iolab-in"] = "PREROUTING -j nowhere"  # which is not what was set up
    with pytest.raises(RequestError, match="1 of 2 hooks are in place"):
        cell.rule(action="drop")
    os.waitpid = reap


@in_cell
def test_a_missing_iptables_names_its_package(cell: Cell) -> None:
    iptables._PATH = "/nonexistent"
    with pytest.raises(RequestError, match="the wire needs the package iptables"):
        cell.rule(action="drop")
    assert cell.ask("rule-list") == {"rules": []}


@in_cell
def test_requests_that_cannot_be_name_the_field(cell: Cell) -> None:
    rule = cell.rule(action="drop")
    bad: list[tuple[str, dict[str, Any], str]] = [
        ("rule-add", {}, "`rule` is missing; it is a table"),
        (
            "rule-add",
            {"rule": {"port": PORT, "action": "lose"}},
            "`rule.action` must be one of drop",
        ),
        ("rule-remove", {"rule": 7}, "`rule` must be one of [1], not 7"),
        ("rule-wait", {"within_s": 1}, "`rule` is missing"),
        ("rule-wait", {"rule": rule}, "`within_s` is missing; it is seconds, 0 or more"),
        ("packets", {"since": "now"}, "`since` must be seconds, 0 or more, not 'now'"),
        ("packets", {"last": 0}, "`last` must be a whole number from 1 to 20000"),
        ("save", {"peer": "me"}, "`peer` must be an address"),
    ]
    for op, fields, message in bad:
        with pytest.raises(Invalid, match=f"^{re.escape(message)}"):
            cell.ask(op, **fields)


@in_cell
def test_waiting_for_a_rule_tells_how_far_it_got(cell: Cell) -> None:
    rule = cell.rule(action="drop")
    with pytest.raises(RequestError, match=r"^rule 1 took 0 of 2 packets within 0.05 s$") as late:
        cell.ask("rule-wait", rule=rule, taken=2, within_s=0.05)
    assert late.value.results == {"timeout": True, "last": {"rule": rule, "taken": 0}}


def _unbind(queue: Any) -> None:
    unbind = struct.pack("!BxH", 2, 0)  # NFQNL_CFG_CMD_UNBIND
    queue._socket.send(queue._message(0x302, 1, 1, unbind))


def _gate(cell: Cell) -> Any:
    return cell.wire._gate


def _in_loop(cell: Cell, what: Any) -> None:
    cell.call(lambda answer: answer.set_result(what()))


@contextmanager
def _loop_held_up(cell: Cell) -> Iterator[None]:
    held, go = threading.Event(), threading.Event()

    def hold() -> None:
        held.set()
        go.wait(GENEROUS_S)

    cell.later(hold)
    held.wait(GENEROUS_S)
    try:
        yield
    finally:
        go.set()
