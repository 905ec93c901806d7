"""A thousand connections: every one is seen, and looking costs little.

The bound is on CPU time, which a busy machine stretches far less than the clock on the wall, and it
is generous: it is there to catch what grows with the square.
"""

from __future__ import annotations

from iolab.harness.beside.probe import processes
from tests.probe.clients import connected, name
from tests.probe.driver import Driver

CROWD = 1000
SNAPSHOT_CPU_S = 0.25
WAIT_CPU_SHARE = 0.5


def test_snapshot_of_a_thousand(probe: Driver) -> None:
    pid, port = probe.subject("keep")
    with connected(port, CROWD) as clients:
        peers = [name(client) for client in clients]
        probe.wait({"accepted": {"port": port, "peers": peers}})
        before = processes.cpu_s(probe.process.pid)
        snapshot = probe.snapshot(port)
        assert processes.cpu_s(probe.process.pid) - before < SNAPSHOT_CPU_S
    rows = [row for row in snapshot["sockets"] if row["state"] == "ESTABLISHED"]
    assert sorted(row["peer"] for row in rows) == sorted(peers)
    fds = snapshot["processes"][0]["fds"]
    for row in rows:
        ((owner, descriptor),) = row["owners"]
        assert owner == pid
        assert fds[str(descriptor)] == f"socket:[{row['inode']}]"


def test_waiting_leaves_the_cpu_to_others(probe: Driver) -> None:
    _, port = probe.subject("keep")
    with connected(port, CROWD) as clients:
        before = processes.cpu_s(probe.process.pid)
        begun = probe.snapshot(port)["t"]
        gone = {"gone": {"port": port, "peers": [name(clients[0])]}}
        answer = probe.answer(probe.send("wait", condition=gone, within_s=1.0))
        assert answer["timeout"]
        used_s = processes.cpu_s(probe.process.pid) - before
        assert used_s / (answer["t"] - begun) < WAIT_CPU_SHARE
