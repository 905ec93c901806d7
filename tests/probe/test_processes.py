"""Processes in a snapshot, and what is done to them: who is the subject, and what it is doing."""

from __future__ import annotations

import os
import resource
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from iolab.harness.beside.probe import processes
from tests.probe.clients import connected, name
from tests.probe.driver import Driver, Refused
from tests.waiting import PATIENCE_S, wait_until


def the_process(snapshot: dict[str, Any], pid: int) -> dict[str, Any]:
    """That process of a snapshot."""
    (found,) = [one for one in snapshot["processes"] if one["pid"] == pid]
    return dict(found)


def stuck_thread(probe: Driver, pid: int, call: str) -> dict[str, Any]:
    """The main thread of the process, once it is in that system call."""
    return wait_until(
        f"process {pid} to be in {call}",
        lambda: dict(the_process(probe.snapshot(), pid)["threads"][0]),
        holds=lambda thread: thread["syscall"] == call,
    )


def test_what_a_process_is(probe: Driver) -> None:
    pid, port = probe.subject("keep")
    found = the_process(probe.snapshot(port), pid)
    assert found["ppid"] == probe.process.pid
    assert found["name"].startswith("python")
    assert found["rss"] > 1 << 20
    assert found["cpu_s"] > 0
    assert found["children"] == []
    assert set(found["fds"]) == {"0", "1", "2", "3"}


def test_stuck_in_send_on_the_descriptor_of_a_client(probe: Driver) -> None:
    pid, port = probe.subject("send_for_ever")
    with connected(port) as (client,):
        full = {"queue": {"peers": [name(client)], "send_q_at_least": 1}}
        snapshot = probe.wait(full)
        thread = stuck_thread(probe, pid, "sendto")
        (row,) = [row for row in snapshot["sockets"] if row["peer"] == name(client)]
        assert [[pid, thread["fd"]]] == row["owners"]
        assert thread["state"] == "S"
        assert thread["wchan"] in ("sk_stream_wait_memory", "wait_woken")


def test_since_grows_while_it_sleeps_in_one_call(probe: Driver) -> None:
    pid, port = probe.subject("keep")
    first = stuck_thread(probe, pid, "accept4")
    begun = probe.snapshot(port)
    second = stuck_thread(probe, pid, "accept4")
    assert first["fd"] == second["fd"] == 3
    assert second["since_s"] > first["since_s"] >= 0
    with connected(port) as (client,):
        probe.wait({"accepted": {"port": port, "peers": [name(client)]}})
        third = stuck_thread(probe, pid, "accept4")
        again = probe.snapshot(port)
    # It was woken in between: the call is the next one of its kind, and its sleep is young.
    assert third["since_s"] <= again["t"] - begun["t"]
    assert third["switches"][0] > second["switches"][0]


def thinker(probe: Driver) -> tuple[int, int]:
    """Start `think`; its process and port, once one thread waits in `accept` and one runs."""
    pid, port = probe.subject("think")
    assert probe.line(pid) == "two"
    wait_until(
        "one thread to wait and one to run",
        lambda: the_process(probe.snapshot(), pid)["threads"],
        holds=lambda threads: (threads[0]["state"], threads[1]["syscall"]) == ("R", "accept4"),
    )
    return pid, port


def test_threads_one_asleep_one_running(probe: Driver) -> None:
    pid, _ = thinker(probe)
    busy, waiting = the_process(probe.snapshot(), pid)["threads"]
    assert (waiting["state"], waiting["fd"]) == ("S", 3)
    assert (busy["state"], busy["syscall"], busy["fd"]) == ("R", None, None)
    assert busy["since_s"] is None
    assert waiting["since_s"] >= 0


def test_a_child_that_keeps_the_listener_outlives_main(probe: Driver) -> None:
    pid, port = probe.subject("fork")
    born = int(probe.line(pid))
    probe.ask("input", data="end\n")
    assert probe.event("exited", pid=pid)["status"] == 0
    snapshot = probe.wait({"main_exited": {}})
    (child,) = snapshot["processes"]
    assert child["pid"] == born
    assert child["ppid"] == probe.process.pid  # orphaned, and adopted
    assert snapshot["main"] is None
    (listener,) = [row for row in probe.snapshot(port)["sockets"] if row["state"] == "LISTEN"]
    assert listener["owners"] == [[child["pid"], 3]]
    with pytest.raises(Refused, match="no main process"):
        probe.ask("signal", signal="TERM")
    assert probe.ask("signal", signal="SIGKILL", who="all")["pids"] == [child["pid"]]
    assert probe.wait({"exited": {}})["processes"] == []


def test_a_zombie_is_shown(probe: Driver) -> None:
    pid, _ = probe.subject("leave_zombie")
    found = wait_until(
        "its child to be a zombie",
        lambda: probe.snapshot()["processes"],
        holds=lambda found: [one["state"] for one in found[1:]] == ["Z"],
    )
    assert found[0]["children"] == [found[1]["pid"]]
    assert found[1]["ppid"] == pid
    assert found[1]["fds"] == {}


def test_main_is_the_first_that_runs(probe: Driver) -> None:
    first, _ = probe.subject("keep")
    second, _ = probe.subject("keep")
    assert probe.snapshot()["main"] == first
    assert probe.ask("signal", signal="KILL")["pids"] == [first]
    probe.event("exited", pid=first)
    assert probe.snapshot()["main"] == second


def test_freeze_and_thaw(probe: Driver) -> None:
    pid, port = thinker(probe)
    assert probe.ask("freeze")["pids"] == [pid]
    assert processes.states(pid) == "TT"
    probe.wait({"stopped": {}}, within_s=0)
    with connected(port) as (client,):
        waiting = {"accepted": {"port": port, "peers": [name(client)]}}
        with pytest.raises(Refused, match="not accepted yet"):
            probe.wait(waiting, within_s=0.05)
        assert probe.ask("thaw")["pids"] == [pid]
        assert "T" not in processes.states(pid)
        probe.wait(waiting)


def test_freeze_catches_those_that_are_being_born(probe: Driver) -> None:
    pid, _ = probe.subject("fork_without_end")
    frozen = probe.ask("freeze")["pids"]
    assert pid in frozen
    assert {processes.states(one) for one in frozen} == {"T"}
    probe.wait({"stopped": {}}, within_s=0)
    assert pid in probe.ask("thaw")["pids"]


def test_freeze_takes_a_parent_that_is_deaf_until_its_child_becomes_a_program(
    probe: Driver, tmp_path: Path
) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    pid, port = probe.subject("wait_in_vfork", str(fifo))
    wait_until("vfork", lambda: processes.states(pid), holds=lambda states: states == "D")
    assert len(probe.ask("freeze")["pids"]) == 2
    probe.wait({"stopped": {}}, within_s=0)
    probe.ask("thaw")
    with pytest.raises(Refused, match=f"not stopped: {pid} "):
        probe.wait({"stopped": {}}, within_s=0)
    os.close(os.open(fifo, os.O_WRONLY))  # who reads it is a program, and gone, in that moment
    with connected(port) as (client,):
        probe.wait({"accepted": {"port": port, "peers": [name(client)]}})


def test_processes_that_end_while_they_are_looked_at_are_left_out(probe: Driver) -> None:
    probe.subject("spawn_without_end")
    for _ in range(40):
        for one in probe.snapshot()["processes"]:
            assert isinstance(one["threads"], list), one


def test_limit_is_soft_live_and_read_back(probe: Driver) -> None:
    pid, port = probe.subject("keep", nofile=500)
    assert resource.prlimit(pid, resource.RLIMIT_NOFILE) == (500, 500)
    assert probe.ask("limit", nofile=8)["before"] == {str(pid): 500}
    assert resource.prlimit(pid, resource.RLIMIT_NOFILE) == (8, 500)
    with connected(port, 4):
        # 0, 1, 2, the listener and four connections: the fifth `accept` fails before anybody comes.
        assert probe.event("exited", pid=pid)["status"] == 1
    with pytest.raises(Refused, match="no such process of the subject"):
        probe.ask("limit", nofile=500)


def test_limit_of_some_leaves_the_others(probe: Driver) -> None:
    first, _ = probe.subject("keep", nofile=500)
    second, _ = probe.subject("keep", nofile=500)
    assert probe.ask("limit", nofile=8, pids=[second])["before"] == {str(second): 500}
    assert resource.prlimit(first, resource.RLIMIT_NOFILE) == (500, 500)
    with pytest.raises(Refused, match="no such process of the subject"):
        probe.ask("limit", nofile=8, pids=[1 << 22])


def test_limit_above_the_hard_one_is_refused(probe: Driver) -> None:
    pid, _ = probe.subject("keep", nofile=500)
    with pytest.raises(Refused, match=f"at most 500, process {pid}'s hard limit"):
        probe.ask("limit", nofile=501)


def test_activity_of_a_sleeper_and_a_thinker(probe: Driver) -> None:
    pid, _ = thinker(probe)
    found = probe.ask("activity", within_s=0.3, every_s=0.005)
    busy, waiting = found["threads"]
    assert (busy["pid"], waiting["pid"]) == (pid, pid)
    assert waiting["calls"] == [{"syscall": "accept4", "fd": 3, "share": 1.0}]
    assert waiting["states"] == {"S": 1.0}
    assert waiting["switches"] == [0, 0]
    assert waiting["slept"] == []
    assert [span[2:] for span in waiting["timeline"]] == [["S", "accept4", 3]]
    assert {call["syscall"]: call["share"] for call in busy["calls"]}[None] > 0.5
    (used,) = found["processes"]
    assert used["pid"] == pid
    assert used["cpu_s"] > 0


def test_activity_tells_when_a_sleeper_was_awake_between_two_samples(probe: Driver) -> None:
    _, port = probe.subject("keep")
    number = probe.send("activity", within_s=1.0, every_s=0.005)
    probe.ask("snapshot")  # answered in order, so by now it is being sampled
    begun = time.monotonic()
    with connected(port, 1):
        found = probe.answer(number)
    (one,) = found["threads"]
    assert one["switches"][0] >= 1
    assert len(one["slept"]) >= 1
    assert begun <= one["slept"][0] <= found["to"]


def test_activity_tells_what_waits_in_the_sockets_at_a_port(probe: Driver) -> None:
    _, port = probe.subject("keep")
    with connected(port) as [client]:
        peer = name(client)
        client.sendall(b"abc")
        probe.wait({"queue": {"peers": [peer], "port": port, "recv_q_at_least": 3}})
        number = probe.send("activity", within_s=0.3, every_s=0.005, port=port)
        probe.ask("snapshot")  # answered in order, so by now it is being sampled
        client.sendall(b"de")
        [one] = probe.answer(number)["queues"]
    assert one["peer"] == peer
    assert [change[1:] for change in one["queue"]] == [[3, 3], [5, 5]]


def test_descriptors_and_idle(probe: Driver) -> None:
    probe.subject("keep")
    probe.wait({"descriptors": {"at_most": 4}}, within_s=0)
    with pytest.raises(Refused, match="4 descriptors are open"):
        probe.wait({"descriptors": {"at_most": 3}}, within_s=0)
    probe.wait({"idle": {"for_s": 0.05, "cpu_share_at_most": 0.1}})


def test_a_busy_subject_is_not_idle(probe: Driver) -> None:
    probe.subject("think")
    with pytest.raises(Refused, match=r"0\.[0-9]+ of a CPU|1\.[0-9]+ of a CPU"):
        probe.wait({"idle": {"for_s": 0.05, "cpu_share_at_most": 0.01}}, within_s=1.0)


def test_waits_for_the_end(probe: Driver) -> None:
    pid, _ = probe.subject("keep")
    with pytest.raises(Refused, match=f"processes left: {pid}"):
        probe.wait({"exited": {}}, within_s=0)
    number = probe.send("wait", condition={"exited": {}}, within_s=PATIENCE_S)
    os.kill(pid, signal.SIGKILL)
    assert probe.answer(number)["snapshot"]["processes"] == []
    assert probe.event("exited", pid=pid)["status"] == -signal.SIGKILL
