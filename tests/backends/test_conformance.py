"""What the contract promises, on every backend that this machine allows."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from iolab.harness.backends.base import Backend, Family, LabNodes, SubjectProcess
from iolab.harness.backends.channel import Channel
from tests.backends.hearing import Hearing
from tests.backends.subjects import (
    CLOSES_FIRST,
    ECHO,
    LEAVES_A_CHILD,
    PRINTS_WITHOUT_END,
    REPEATS,
    TAKES_MEMORY,
    TALKATIVE,
    THINKS,
    python,
)
from tests.waiting import PATIENCE_S, wait_until

CAT = python("import os\nwhile data := os.read(0, 65536):\n    os.write(1, data)")

# Sends each line that it is given over one connection, and prints what comes back.
TALK = """
    import socket, sys
    with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=20) as server:
        print("connected", flush=True)
        for line in sys.stdin.buffer:
            server.sendall(line)
            print(server.recv(1000).decode(), end="", flush=True)
"""

Probed = Callable[[LabNodes], Channel]


@pytest.fixture
def probed() -> Iterator[Probed]:
    """Starts probes, and closes their channels."""
    channels = []

    def start(lab: LabNodes) -> Channel:
        channels.append(Channel("probe", lab.pod.start_probe()))
        channels[-1].ready()
        return channels[-1]

    yield start
    for channel in channels:
        channel.close()


def listening(lab: LabNodes, probe: Channel) -> SubjectProcess:
    """The lab's subject, started, and seen to listen."""
    subject = lab.pod.start_subject(probe)
    probe.request("wait", condition={"listening": lab.pod.port}, within_s=PATIENCE_S)
    return subject


def talk(lab: LabNodes, client: str = "talker", family: Family = 4) -> Hearing:
    """A client with a connection to the subject."""
    target = (lab.pod.addresses[family], str(lab.pod.port))
    hearing = Hearing(lab.client(client).spawn(python(TALK, *target)))
    assert hearing.says(b"connected"), hearing.heard
    return hearing


def cpu_share(probe: Channel) -> float:
    """Of one CPU, what the subject gets in the next second."""
    found = probe.request("activity", within_s=1.0, every_s=0.05)
    used = sum(process["cpu_s"] for process in found["processes"])
    share: float = used / (found["to"] - found["from"])
    return share


def needs(backend: Backend, *names: str) -> None:
    """Skip where the backend declares that it lacks one of these."""
    for name in names:
        if name in backend.missing():
            pytest.skip(f"{backend.name}: {backend.missing()[name]}")


class TestProcess:
    def test_bytes_are_intact_both_ways(self, lab: LabNodes) -> None:
        data = os.urandom(1 << 20)
        hearing = Hearing(lab.client("a").spawn(CAT))

        def write() -> None:
            hearing.process.write(data)
            hearing.process.close_input()

        writer = threading.Thread(target=write)
        writer.start()
        assert hearing.all() == data
        writer.join()
        assert hearing.process.wait(PATIENCE_S) == 0

    def test_what_is_printed_at_once_is_not_lost(self, lab: LabNodes) -> None:
        for _ in range(10):
            assert Hearing(lab.client("a").spawn(("echo", "early"))).all() == b"early\n"

    @pytest.mark.parametrize(
        ("code", "status"),
        [
            ("pass", 0),
            ("raise SystemExit(7)", 7),
            ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
            ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM),
        ],
    )
    def test_exit_status(self, lab: LabNodes, code: str, status: int) -> None:
        hearing = Hearing(lab.client("a").spawn(python(code)))
        hearing.all()
        assert hearing.process.wait(PATIENCE_S) == status

    def test_streams_are_told_apart_and_the_environment_arrives(self, lab: LabNodes) -> None:
        code = "import os, sys; print(os.environ['WORD']); print('error', file=sys.stderr)"
        hearing = Hearing(lab.client("a").spawn(python(code), {"WORD": "späte Grüße"}))
        assert hearing.all().decode() == "späte Grüße\n"
        assert hearing.heard["stderr"] == b"error\n"

    def test_one_that_runs_has_no_status_and_one_that_ended_cannot_be_written_to(
        self, lab: LabNodes
    ) -> None:
        process = lab.client("a").spawn(CAT)
        hearing = Hearing(process)
        assert process.wait(0.05) is None
        process.close_input()
        assert hearing.all() == b""
        assert process.wait(PATIENCE_S) == 0
        with pytest.raises(BrokenPipeError):
            process.write(b"too late")

    def test_signals_return_when_their_effect_is_seen(self, lab: LabNodes) -> None:
        hearing = Hearing(lab.client("a").spawn(CAT))
        process = hearing.process
        process.write(b"1\n")
        assert hearing.says(b"1\n")
        process.signal("SIGSTOP")
        process.write(b"2\n")
        assert not hearing.says(b"2\n", within_s=0.2)
        process.signal("SIGCONT")
        process.close_input()
        assert hearing.all() == b"1\n2\n"

    def test_a_killed_one_is_dead_and_cannot_be_signalled(self, lab: LabNodes) -> None:
        hearing = Hearing(lab.client("a").spawn(CAT))
        hearing.process.signal("SIGKILL")
        assert hearing.all() == b""
        assert hearing.process.wait(PATIENCE_S) == -signal.SIGKILL
        with pytest.raises(ProcessLookupError):
            hearing.process.signal("SIGSTOP")


class TestSubject:
    @pytest.mark.parametrize("family", [4, 6])
    def test_it_serves_a_client(self, backend: Backend, probed: Probed, family: Family) -> None:
        if family == 6 and (why_not := backend.why_no_ipv6()) is not None:
            pytest.skip(f"{backend.name}: {why_not}")
        lab = backend.open_lab(ECHO, (family,))
        listening(lab, probed(lab))
        hearing = talk(lab, family=family)
        hearing.process.write(b"hello\n")
        assert hearing.says(b"hello\n")
        lab.close()

    def test_its_log_has_whole_lines_with_times(self, backend: Backend, probed: Probed) -> None:
        lab = backend.open_lab(TALKATIVE)
        before = time.monotonic()
        subject = lab.pod.start_subject(probed(lab))
        assert subject.wait(PATIENCE_S) == 3
        wait_until("all that it said", subject.log, holds=lambda log: len(log) == 4)
        lines = subject.log()
        said = [line for _, stream, line in lines if stream == "stdout"]
        assert said == ["first", "second", "unfinished"]
        assert [line for _, stream, line in lines if stream == "stderr"] == ["a complaint"]
        assert all(before < t < time.monotonic() for t, _, _ in lines)
        lab.close()

    def test_it_reads_its_input(self, backend: Backend, probed: Probed) -> None:
        lab = backend.open_lab(REPEATS)
        subject = lab.pod.start_subject(probed(lab))
        subject.write(b"a word\n")
        wait_until("its answer", lambda: [line for _, _, line in subject.log()] == ["heard a word"])
        lab.close()

    def test_it_is_killed_and_started_again_in_place(self, lab: LabNodes, probed: Probed) -> None:
        probe = probed(lab)
        subject = listening(lab, probe)
        assert subject.wait(0) is None
        probe.request("signal", signal="SIGKILL", who="main")
        assert subject.wait(PATIENCE_S) == -signal.SIGKILL
        probe.request("wait", condition={"exited": {}}, within_s=PATIENCE_S)
        listening(lab, probe)
        assert talk(lab).says(b"connected")

    def test_children_that_outlive_it_are_seen(self, backend: Backend, probed: Probed) -> None:
        lab = backend.open_lab(LEAVES_A_CHILD)
        probe = probed(lab)
        subject = listening(lab, probe)
        wait_until("its child", lambda: "has a child" in [line for _, _, line in subject.log()])
        probe.request("signal", signal="SIGKILL", who="main")
        assert subject.wait(PATIENCE_S) == -signal.SIGKILL
        left = probe.request("snapshot", label="left", port=lab.pod.port)["snapshot"]
        assert len(left["processes"]) == 1
        lab.close()

    def test_its_output_can_be_held(self, backend: Backend, probed: Probed) -> None:
        lab = backend.open_lab(PRINTS_WITHOUT_END)
        probe = probed(lab)
        subject = lab.pod.start_subject(probe)
        wait_until("its first words", subject.log)
        subject.hold_output(True)
        probe.request(
            "wait",
            condition={"idle": {"for_s": 0.2, "cpu_share_at_most": 0.05}},
            within_s=PATIENCE_S,
        )
        so_far = len(subject.log())
        subject.hold_output(False)
        wait_until(
            "much more", lambda: len(subject.log()), holds=lambda lines: lines > so_far + 10_000
        )
        probe.request("signal", signal="SIGKILL", who="all")
        lab.close()


class TestNode:
    def test_nothing_passes_while_the_cable_is_out(
        self, backend: Backend, lab: LabNodes, probed: Probed
    ) -> None:
        needs(backend, "cable")
        listening(lab, probed(lab))
        hearing = talk(lab)
        node = lab.client("talker")
        addresses = dict(node.addresses)
        node.unplug()
        hearing.process.write(b"late\n")
        assert not hearing.says(b"late\n", within_s=0.3)
        node.plug()
        assert node.addresses == addresses
        # The kernel sends the segment again by itself: the connection has outlived the gap.
        assert hearing.says(b"late\n")

    def test_a_cpu_limit_holds_and_is_lifted(self, backend: Backend, probed: Probed) -> None:
        needs(backend, "cpu-limit")
        lab = backend.open_lab(THINKS)
        probe = probed(lab)
        subject = lab.pod.start_subject(probe)
        wait_until("its first words", subject.log)
        lab.pod.limit(cpus=0.05)
        assert cpu_share(probe) < 0.1
        lab.pod.limit()
        wait_until("more than that", lambda: cpu_share(probe), holds=lambda share: share > 0.15)
        lab.close()

    def test_a_memory_limit_holds(self, backend: Backend, probed: Probed) -> None:
        needs(backend, "memory-limit")
        lab = backend.open_lab(TAKES_MEMORY)
        probe = probed(lab)
        subject = lab.pod.start_subject(probe)
        lab.pod.limit(memory=64 << 20)
        subject.write(b"go\n")
        assert subject.wait(20) == -signal.SIGKILL
        lab.pod.limit()
        subject = lab.pod.start_subject(probe)
        subject.write(b"go\n")
        assert subject.wait(20) == 0
        lab.close()


class TestLab:
    def test_two_stand_side_by_side(self, backend: Backend, probed: Probed) -> None:
        labs = [backend.open_lab(ECHO) for _ in range(2)]
        for lab in labs:
            listening(lab, probed(lab))
        talkers = [talk(lab) for lab in labs]
        labs[0].close()
        talkers[1].process.write(b"still here\n")
        assert talkers[1].says(b"still here\n")
        labs[1].close()

    def test_the_next_one_finds_nothing_of_the_last(self, backend: Backend) -> None:
        # A child holds the port, TIME-WAIT does, and a client goes on: all that a lab can leave.
        for subject in (LEAVES_A_CHILD, CLOSES_FIRST, CLOSES_FIRST, ECHO):
            lab = backend.open_lab(subject)
            probe = Channel("probe", lab.pod.start_probe())
            probe.ready()
            lab.client("talker").spawn(python("import time; time.sleep(1000)"))
            empty = probe.request("snapshot", label="new", port=lab.pod.port)["snapshot"]
            assert (empty["sockets"], empty["processes"]) == ([], [])
            listening(lab, probe)
            talk(lab)
            lab.close()
