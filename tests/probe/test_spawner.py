"""What the probe starts, and that nothing of it stays behind."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys

import pytest

from iolab.harness.beside.probe import processes
from tests.probe.driver import ROOT, Driver, Refused
from tests.waiting import wait_until

PYTHON = sys.executable


def run(probe: Driver, code: str, **spawn: object) -> int:
    """Spawn a line of Python."""
    return int(probe.ask("spawn", argv=[PYTHON, "-c", code], **spawn)["pid"])


def gone(pid: int) -> bool:
    """Has this process ended, or is it at least dead?"""
    try:
        return processes.stat(f"/proc/{pid}").state in processes.DEAD
    except processes.GONE:
        return True


def test_output_comes_before_the_end(probe: Driver) -> None:
    code = (
        "import os, signal\n"
        "def end(number, frame): os.write(1, b'out'), os.write(2, b'err'), os._exit(3)\n"
        "signal.signal(signal.SIGUSR1, end); print('there', flush=True); signal.pause()"
    )
    pid = run(probe, code)
    assert probe.line(pid) == "there"
    # The probe is to find the words and the end in one and the same moment.
    os.kill(probe.process.pid, signal.SIGSTOP)
    os.waitid(os.P_PID, probe.process.pid, os.WSTOPPED)
    os.kill(pid, signal.SIGUSR1)
    wait_until(
        "its end", lambda: processes.stat(f"/proc/{pid}").state, holds=lambda seen: seen == "Z"
    )
    os.kill(probe.process.pid, signal.SIGCONT)
    ended = probe.event("exited", pid=pid)
    assert ended["status"] == 3
    for stream, word in (("stdout", "out"), ("stderr", "err")):
        said = probe.event("output", pid=pid, stream=stream)
        assert said["data"] == word
        assert said["t"] <= ended["t"]


def test_output_that_is_not_utf8_survives(probe: Driver) -> None:
    pid = run(probe, r"import os; os.write(1, bytes(range(11, 256)) + b'\n')")
    assert probe.line(pid).encode(errors="surrogateescape") == bytes(range(11, 256))


def test_input_is_written_and_closed(probe: Driver) -> None:
    pid = run(probe, "import sys; print(len(sys.stdin.buffer.read()))")
    probe.ask("input", data="\udcff" * 200_000)
    probe.ask("input", data="end", close=True)
    assert probe.line(pid) == "200003"
    assert probe.event("exited", pid=pid)["status"] == 0
    with pytest.raises(Refused, match=r"has ended|has closed its input|that its input has ended"):
        probe.ask("input", data="more", pid=pid)


def test_input_to_one_that_does_not_listen(probe: Driver) -> None:
    pid = run(probe, "import os, signal; os.close(0); print('closed', flush=True); signal.pause()")
    assert probe.line(pid) == "closed"
    with pytest.raises(Refused, match="the process has closed its input"):
        probe.ask("input", data="x")


def test_held_output_fills_the_pipe(probe: Driver) -> None:
    code = "import os; [os.write(1, b'x' * 4096) for _ in range(64)]; os.write(1, b'\\n')"
    pid = probe.ask("spawn", argv=[PYTHON, "-c", f"input(); {code}"])["pid"]
    probe.ask("hold-output", hold=True)
    probe.ask("input", data="go\n")
    wait_until(
        "it to be stuck in write",
        lambda: probe.snapshot()["processes"][0]["threads"][0],
        holds=lambda thread: (thread["syscall"], thread["fd"]) == ("write", 1),
    )
    probe.ask("hold-output", hold=False)
    assert probe.line(pid) == "x" * 4096 * 64


def test_environment_folder_limit_and_session(probe: Driver) -> None:
    code = (
        "import json, os, resource; print(json.dumps([dict(os.environ), os.getcwd(), "
        "resource.getrlimit(resource.RLIMIT_NOFILE), os.getsid(0)]))"
    )
    pid = run(probe, code, env={"ONLY": "this"}, cwd="/tmp", nofile=99)
    environment, folder, limit, session = json.loads(probe.line(pid))
    assert environment["ONLY"] == "this"
    assert "PATH" not in environment
    assert folder == "/tmp"
    assert limit == [99, 99]
    assert session == pid


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")
def test_another_user_without_groups(probe: Driver) -> None:
    code = "import os; print(os.getresuid(), os.getresgid(), os.getgroups())"
    pid = probe.ask("spawn", argv=["python3", "-c", code], uid=1000, gid=1001, cwd="/")["pid"]
    assert probe.line(pid) == "(1000, 1000, 1000) (1001, 1001, 1001) []"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")
def test_another_user_is_seen_whole(probe: Driver) -> None:
    code = "import socket; s = socket.create_server(('127.0.0.1', 0)); s.accept()"
    pid = probe.ask("spawn", argv=["python3", "-c", code], uid=1000, gid=1000, cwd="/")["pid"]
    (found,) = wait_until(
        "it to accept",
        lambda: probe.snapshot()["processes"],
        # A look reads descriptors before system calls: both must be there in one.
        holds=lambda found: (
            found[0]["threads"][0]["syscall"] == "accept4" and "3" in found[0]["fds"]
        ),
    )
    assert found["pid"] == pid
    assert found["fds"]["3"].startswith("socket:[")
    assert list(probe.ask("limit", nofile=77)["before"]) == [str(pid)]


def test_orphans_are_reaped(probe: Driver) -> None:
    starter, _ = probe.subject("daemonize")
    daemon = int(probe.line(starter).split()[1])
    assert probe.alone(daemon)["ppid"] == probe.process.pid
    os.kill(daemon, signal.SIGKILL)
    probe.wait({"exited": {}})
    assert not os.path.exists(f"/proc/{daemon}")


def test_end_of_input_ends_all_descendants() -> None:
    probe = Driver()
    pid, _ = probe.subject("ignore_terminate")
    child = int(probe.line(pid))
    starter, _ = probe.subject("daemonize")
    daemon = int(probe.line(starter).split()[1])
    probe.event("exited", pid=starter)
    assert probe.close() == ""
    assert probe.process.returncode == 0
    assert gone(pid)
    assert gone(child)
    assert gone(daemon)


def test_end_of_input_ends_one_that_is_frozen() -> None:
    probe = Driver()
    pid, _ = probe.subject("fork_without_end")
    frozen = probe.ask("freeze")["pids"]
    assert probe.close() == ""
    assert pid in frozen
    assert all(map(gone, frozen))


def test_a_killed_probe_takes_its_children_along() -> None:
    probe = Driver()
    pid, _ = probe.subject("keep")
    watched = os.pidfd_open(pid)
    probe.process.kill()
    probe.close()
    # A pidfd is readable once the process has ended.
    assert select.select([watched], [], [], 30)[0]
    os.close(watched)


HELPED = """
import os, subprocess
from iolab.harness.beside.loop import Loop
from iolab.harness.beside.probe.spawner import Spawner
from iolab.harness.beside.probe.subject import SubjectProcesses

subject = SubjectProcesses()
events = []
spawner = Spawner(Loop(), subject, events.append, lambda: None)
helper = subprocess.Popen(["sh", "-c", "exit 7"])
os.waitid(os.P_PID, helper.pid, os.WEXITED | os.WNOWAIT)
pid = spawner.ops()["spawn"]({"argv": ["sh", "-c", "exit 3"]})["pid"]
os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
assert [one.pid for one in subject.look()] == [pid]
spawner.reap()
assert events == [{"event": "exited", "pid": pid, "status": 3}], events
assert helper.wait() == 7
"""


def test_a_helper_is_left_to_who_started_it() -> None:
    done = subprocess.run([PYTHON, "-c", HELPED], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
