"""What processes promise beyond the contract: ports of their own, and nothing that escapes."""

from __future__ import annotations

import dataclasses
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from iolab.harness.backends import identity
from iolab.harness.backends.base import Backend, BackendError, LabNodes
from iolab.harness.backends.channel import Channel
from iolab.harness.backends.processes import ports
from tests.backends.conftest import usable
from tests.backends.hearing import Hearing
from tests.backends.subjects import ECHO, python, serving
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]

# Listens where it likes, as a server does that cannot be told.
FIXED = dataclasses.replace(ECHO, name="fixed", port=20_011, command=("sleep", "1000"))


@pytest.fixture(scope="module")
def processes() -> Iterator[Backend]:
    backend = usable("processes", identity.new_id())
    yield backend
    backend.close()


@pytest.fixture
def lab(processes: Backend) -> Iterator[LabNodes]:
    lab = processes.open_lab(ECHO)
    yield lab
    lab.close()


class TestPorts:
    def test_each_lab_has_its_own_below_the_ephemeral_range(self, processes: Backend) -> None:
        lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
        labs = [processes.open_lab(ECHO) for _ in range(5)]
        numbers = [lab.pod.port for lab in labs]
        assert len(set(numbers)) == len(labs)
        assert max(numbers) < lowest
        addresses = [lab.client("a").addresses[4] for lab in labs]
        assert len(set(addresses)) == len(labs)
        for lab in labs:
            lab.close()

    def test_racing_reservations_never_share_a_port(self) -> None:
        kept: list[ports.Reservation] = []
        together = threading.Barrier(8)

        def reserve() -> None:
            together.wait()
            kept.extend(ports.reserve_any(4711) for _ in range(10))

        threads = [threading.Thread(target=reserve) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len({reservation.port for reservation in kept}) == len(kept) == 80
        for reservation in kept:
            reservation.close()

    def test_a_port_that_a_stranger_uses_is_passed_over(self) -> None:
        with ports.reserve_any(0) as first, socket.socket() as stranger:
            stranger.bind(("127.0.0.1", 0))
            stranger.listen()
            assert not ports.is_free(stranger.getsockname()[1], reuse=False)
            assert not ports.is_free(stranger.getsockname()[1], reuse=True)
            assert ports.is_free(first.port, reuse=False)

    def test_a_command_without_places_waits_for_its_port(self, processes: Backend) -> None:
        first = processes.open_lab(FIXED)
        assert (first.pod.port, first.pod.addresses[4]) == (FIXED.port, "127.0.0.1")
        opened: list[LabNodes] = []
        waiter = threading.Thread(target=lambda: opened.append(processes.open_lab(FIXED)))
        waiter.start()
        waiter.join(0.2)
        assert not opened
        first.close()
        waiter.join(10)
        assert opened[0].pod.port == FIXED.port
        opened[0].close()

    def test_the_lock_of_a_killed_run_is_free(self) -> None:
        code = "\n".join(
            [
                "import signal",
                "from iolab.harness.backends.processes import ports",
                f"kept = ports.reserve({FIXED.port})",
                "print('kept', flush=True)",
                "signal.pause()",
            ]
        )
        with subprocess.Popen(
            [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE
        ) as other:
            assert other.stdout is not None
            assert other.stdout.readline() == b"kept\n"
            opened: list[ports.Reservation] = []
            waiter = threading.Thread(target=lambda: opened.append(ports.reserve(FIXED.port)))
            waiter.start()
            waiter.join(0.2)
            assert not opened
            other.kill()
            waiter.join(10)
        assert opened[0].port == FIXED.port
        opened[0].close()

    def test_a_fixed_port_that_a_stranger_uses_is_told(self) -> None:
        with socket.socket() as stranger:
            stranger.bind(("127.0.0.1", 0))
            stranger.listen()
            port = stranger.getsockname()[1]
            with pytest.raises(BackendError, match=f"port {port} is in use"):
                ports.reserve(port)


class TestLab:
    def test_it_declares_what_it_cannot_do(self, processes: Backend, lab: LabNodes) -> None:
        assert set(processes.missing()) == {
            "wire",
            "capture",
            "cable",
            "memory-limit",
            "cpu-limit",
        }
        with pytest.raises(BackendError, match="no cable"):
            lab.client("a").unplug()
        with pytest.raises(BackendError, match="control group"):
            lab.pod.limit(cpus=0.1)

    def test_it_tells_what_a_manifest_asks_for_and_does_not_get(self, processes: Backend) -> None:
        subject = dataclasses.replace(ECHO, writable=("/w",), capabilities=("NET_RAW", "KILL"))
        lab = processes.open_lab(subject)
        assert list(lab.pod.tolerances()) == [
            "writable: /w is the machine's own",
            "capabilities: those of the harness, which may lack NET_RAW, KILL",
        ]
        lab.close()

    def test_clients_come_from_addresses_of_their_own(self, lab: LabNodes) -> None:
        nodes = [lab.pod, lab.client("a"), lab.client("b")]
        assert len({node.addresses[4] for node in nodes}) == 3
        bind = "import socket, sys; socket.socket().bind((sys.argv[1], 0)); print('bound')"
        for node in nodes:
            hearing = Hearing(node.spawn(python(bind, node.addresses[4])))
            assert hearing.all() == b"bound\n"

    def test_an_orphan_of_a_killed_probe_does_not_escape(self, processes: Backend) -> None:
        daemon = """
            import os, time
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    print("daemon", os.getpid(), flush=True)
                    time.sleep(1000)
                os._exit(0)
            time.sleep(1000)
        """
        lab = processes.open_lab(serving("daemon", daemon.replace("\n            ", "\n")))
        probed = lab.pod.start_probe()
        probe = Channel("probe", probed)
        subject = lab.pod.start_subject(probe)
        wait_until("its daemon", subject.log)
        pid = int(subject.log()[0][2].split()[1])
        probed.signal("SIGKILL")
        assert os.path.exists(f"/proc/{pid}")
        lab.close()
        assert not os.path.exists(f"/proc/{pid}")
