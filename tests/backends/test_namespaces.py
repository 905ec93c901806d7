"""What namespaces promise beyond the contract: how closed a node is, and who may build one."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from iolab.harness.backends import identity
from iolab.harness.backends.base import Backend, BackendUnavailable, LabNodes
from iolab.harness.backends.channel import Channel
from iolab.harness.backends.local import linux
from iolab.harness.backends.namespaces import cgroup, steps
from iolab.harness.backends.namespaces.backend import Namespaces
from iolab.harness.errors import UsageError
from iolab.harness.subject.manifest import Subject
from tests.backends.conftest import usable
from tests.backends.hearing import Hearing
from tests.backends.subjects import ECHO, python, serving
from tests.backends.test_conformance import listening, talk
from tests.waiting import PATIENCE_S, is_empty, wait_until

ROOT = Path(__file__).parents[2]
NOBODY = 65534

# What a process can tell of its own confinement, as JSON.
CONFESS = """
    import json, os, socket
    def status(name):
        with open("/proc/self/status") as lines:
            return next(line.split(":")[1].strip() for line in lines if line.startswith(name))
    def can_write(path):
        try:
            with open(path, "w"):
                return True
        except OSError:
            return False
    print(json.dumps({
        "capabilities": {name: int(status(name), 16) for name in ("CapEff", "CapBnd", "CapAmb")},
        "no_new_privileges": status("NoNewPrivs"),
        "uid": os.getuid(),
        "gid": os.getgid(),
        "groups": os.getgroups(),
        "hostname": socket.gethostname(),
        "processes": sorted(int(name) for name in os.listdir("/proc") if name.isdigit()),
        "interfaces": sorted(name for _, name in socket.if_nameindex()),
        "writes": [p for p in ("/x", "/etc/x", "/tmp/x", "/dev/shm/x", "/proc/sys/vm/swappiness",
                               "/run/x") if can_write(p)],
        "routes": len(open("/proc/net/route").readlines()) - 1,
        "nofile": __import__("resource").getrlimit(__import__("resource").RLIMIT_NOFILE),
    }), flush=True)
"""


@pytest.fixture(scope="module")
def namespaces() -> Iterator[Backend]:
    backend = usable("namespaces", identity.new_id())
    yield backend
    backend.close()


@pytest.fixture
def lab(namespaces: Backend) -> Iterator[LabNodes]:
    lab = namespaces.open_lab(ECHO, (4, 6))
    yield lab
    lab.close()


def confession(backend: Backend, subject: Subject) -> dict[str, object]:
    """What the subject says of itself."""
    lab = backend.open_lab(subject)
    probe = Channel("probe", lab.pod.start_probe())
    started = lab.pod.start_subject(probe)
    status = started.wait(PATIENCE_S)
    lines = [line for _, _, line in started.log()]
    probe.close()
    lab.close()
    assert status == 0, lines
    return dict(json.loads(lines[0]))


CONFESSING = serving("confessing", CONFESS.replace("\n    ", "\n"))


class TestConfinement:
    def test_the_subject_may_no_more_than_read(self, namespaces: Backend) -> None:
        said = confession(namespaces, CONFESSING)
        read_anything = linux.capability_set("DAC_READ_SEARCH")
        assert said["capabilities"] == dict.fromkeys(("CapEff", "CapBnd", "CapAmb"), read_anything)
        assert said["no_new_privileges"] == "1"
        assert said["hostname"] == "pod"
        assert said["interfaces"] == ["eth0", "lo"]
        assert said["routes"] == 1, "there is a way out of the lab's network"
        assert said["writes"] == ["/dev/shm/x"]
        assert said["processes"] == [1, 2, 3]  # the init, the probe, and itself

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")
    def test_what_the_manifest_asks_for_is_given_and_told(self, namespaces: Backend) -> None:
        subject = dataclasses.replace(
            CONFESSING, user="1234:5678", writable=("/tmp",), capabilities=("NET_BIND_SERVICE",)
        )
        # Whoever it is cannot look into root's home, where the interpreter may be.
        said = confession(namespaces, subject)
        keeps = linux.capability_set("DAC_READ_SEARCH", "NET_BIND_SERVICE")
        assert said["capabilities"] == dict.fromkeys(("CapEff", "CapBnd", "CapAmb"), keeps)
        assert (said["uid"], said["gid"], said["groups"]) == (1234, 5678, [])
        assert said["writes"] == ["/tmp/x", "/dev/shm/x"]
        lab = namespaces.open_lab(subject)
        assert list(lab.pod.tolerances()) == [
            "user: runs as 1234:5678",
            "writable: /tmp, in memory",
            "capabilities: NET_BIND_SERVICE",
        ]
        lab.close()

    def test_files_are_there_though_memory_lies_over_their_folder(
        self, namespaces: Backend, tmp_path: Path
    ) -> None:
        (tmp_path / "word").write_text("found")
        code = "print(open('word').read(), flush=True); open('/tmp/x', 'w')"
        subject = dataclasses.replace(
            serving("reader", code, files=tmp_path), writable=(str(tmp_path.parents[-2]),)
        )
        lab = namespaces.open_lab(subject)
        probe = Channel("probe", lab.pod.start_probe())
        started = lab.pod.start_subject(probe)
        assert started.wait(PATIENCE_S) == 0, started.log()
        assert started.log()[0][2] == "found"
        probe.close()
        lab.close()
        assert not Path("/tmp/x").exists()

    def test_a_client_may_no_more_than_read_either(self, lab: LabNodes) -> None:
        said = json.loads(Hearing(lab.client("closed").spawn(python(CONFESS))).all())
        assert said["capabilities"]["CapEff"] == linux.capability_set("DAC_READ_SEARCH")
        assert said["hostname"] == "closed"
        assert said["writes"] == ["/dev/shm/x"]
        assert said["processes"] == [1, 2]

    @pytest.mark.skipif(
        not Path("/proc/sys/net/ipv4/tcp_child_ehash_entries").exists(),
        reason="Linux before 6.1: all network namespaces share the machine's TCP table",
    )
    def test_a_node_has_a_small_tcp_table_of_its_own(self, lab: LabNodes) -> None:
        look = "print(open('/proc/sys/net/ipv4/tcp_ehash_entries').read())"
        # A shared table is told by a negative number.
        assert 0 < int(Hearing(lab.client("any").spawn(python(look))).all()) <= 1 << 16

    def test_an_unknown_capability_is_refused_by_name(self, namespaces: Backend) -> None:
        with pytest.raises(UsageError, match="capabilities: FLY is not a capability of Linux"):
            namespaces.open_lab(dataclasses.replace(ECHO, capabilities=("FLY",)))

    def test_a_writable_folder_that_is_not_there_is_refused_by_name(
        self, namespaces: Backend
    ) -> None:
        with pytest.raises(UsageError, match="writable: /no/such must be a folder of this machine"):
            namespaces.open_lab(dataclasses.replace(ECHO, writable=("/tmp", "/no/such")))

    def test_an_image_is_refused(self, namespaces: Backend) -> None:
        with pytest.raises(UsageError, match="command: is missing"):
            namespaces.open_lab(dataclasses.replace(ECHO, command=(), image="some/image"))

    def test_a_command_that_is_not_there_ends_with_a_line(self, namespaces: Backend) -> None:
        lab = namespaces.open_lab(dataclasses.replace(ECHO, command=("no-such-program",)))
        probe = Channel("probe", lab.pod.start_probe())
        started = lab.pod.start_subject(probe)
        assert started.wait(PATIENCE_S) == 1
        assert [line for _, _, line in started.log()] == [
            "no-such-program: cannot be run: [Errno 2] No such file or directory"
        ]
        probe.close()
        lab.close()


class TestNetwork:
    def test_a_silent_gap_leaves_addresses_and_routes(self, lab: LabNodes) -> None:
        watch = """
            import socket, sys
            def look():
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                    s.connect((sys.argv[1], 9))
                    return s.getsockname()[0]
            for line in sys.stdin:
                print(look(), flush=True)
        """
        node = lab.client("watcher")
        hearing = Hearing(node.spawn(python(watch, lab.pod.addresses[4])))
        node.unplug()
        hearing.process.write(b"\n")
        assert hearing.says(f"{node.addresses[4]}\n".encode())
        node.plug()

    def test_the_pod_can_be_unplugged_too(self, lab: LabNodes) -> None:
        probe = Channel("probe", lab.pod.start_probe())
        listening(lab, probe)
        hearing = talk(lab)
        lab.pod.unplug()
        hearing.process.write(b"late\n")
        assert not hearing.says(b"late\n", within_s=0.3)
        lab.pod.plug()
        assert hearing.says(b"late\n")
        probe.close()

    def test_a_node_has_an_address_of_each_family(self, lab: LabNodes) -> None:
        names = ("one", "two", "three")
        nodes = [lab.pod, *(lab.client(name) for name in names)]
        for family in (4, 6):
            assert len({node.addresses[family] for node in nodes}) == len(nodes)
        assert lab.client("one") is nodes[1]

    def test_a_privileged_port_can_be_served(self, namespaces: Backend) -> None:
        subject = dataclasses.replace(ECHO, port=80)
        lab = namespaces.open_lab(subject)
        probe = Channel("probe", lab.pod.start_probe())
        lab.pod.start_subject(probe)
        probe.request("wait", condition={"listening": 80}, within_s=PATIENCE_S)
        probe.close()
        lab.close()


class TestCleanUp:
    def test_nothing_is_seen_outside(self, lab: LabNodes) -> None:
        outside = set(os.listdir("/sys/class/net"))
        assert not outside & {"bridge", "node2"}
        mounts = Path("/proc/self/mounts").read_text().splitlines()
        assert not [line for line in mounts if "nsfs" in line and "/docker/" not in line]

    def test_groups_of_dead_runs_are_swept_and_of_live_ones_are_not(
        self, namespaces: Backend
    ) -> None:
        homes, reasons = cgroup.usable()
        if not homes:
            pytest.skip("; ".join(reasons.values()))
        dead = subprocess.check_output(
            [
                sys.executable,
                "-c",
                "from iolab.harness.backends import identity; print(identity.new_id())",
            ],
            cwd=ROOT,
            text=True,
        ).strip()
        left = cgroup.Groups(f"iolab.{dead}.1.1", homes)
        live = cgroup.Groups(f"iolab.{namespaces.run_id}.1.1", homes)
        Namespaces(namespaces.run_id).prepare()
        assert not any(folder.exists() for folder in left.folders)
        assert all(folder.exists() for folder in live.folders)
        live.remove()

    def test_processes_that_a_subject_leaves_end_with_the_lab(self, namespaces: Backend) -> None:
        daemon = """
            import os, time
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    time.sleep(1000)
                os._exit(0)
        """
        lab = namespaces.open_lab(serving("daemon", daemon.replace("\n            ", "\n")))
        probe = Channel("probe", lab.pod.start_probe())
        assert lab.pod.start_subject(probe).wait(PATIENCE_S) == 0

        def daemons() -> list[str]:
            return [line for line in namespaces.leftovers() if "time.sleep(1000)" in line]

        assert daemons()
        probe.close()
        lab.close()
        wait_until("the daemon's end", daemons, holds=is_empty)


TRIAL = """
import sys
from iolab.harness.backends import identity
from iolab.harness.backends import choose
try:
    print(choose.prepared("namespaces", identity.new_id())[1])
except Exception as error:
    print(type(error).__name__, error)
"""


def tried(*prefix: str, python: str = sys.executable) -> str:
    """What the trial says under such a command."""
    command = [*prefix, python, "-B", "-c", TRIAL]
    return subprocess.run(
        command, cwd=ROOT, env=LIBRARIES, capture_output=True, text=True, check=True
    ).stdout


class TestTrial:
    """Where `unshare` (of util-linux) may make a user namespace in which limits can be set."""

    @pytest.fixture(autouse=True)
    def _can_be_limited(self) -> None:
        if shutil.which("unshare") is None:
            pytest.skip("there is no unshare")
        if subprocess.run(["unshare", "-Ur", "true"], capture_output=True).returncode:
            pytest.skip("no user namespace can be made here")

    @pytest.mark.parametrize(
        ("kind", "step"),
        [("net", steps.NETWORK), ("pid", steps.PID), ("mnt", steps.MOUNT)],
    )
    def test_the_first_step_that_fails_is_the_reason(self, kind: str, step: str) -> None:
        limit = f"echo 0 > /proc/sys/user/max_{kind}_namespaces; exec"
        said = tried("unshare", "-Ur", "sh", "-c", f'{limit} "$@"', "sh")
        assert said.startswith(f"UsageError --backend namespaces: {step}: ")
        assert f"user.max_{kind}_namespaces" in said
        assert said.count("\n") == 1

    def test_without_user_namespaces_that_is_the_reason(self) -> None:
        script = (
            'echo 0 > /proc/sys/user/max_user_namespaces; exec setpriv --bounding-set -all "$@"'
        )
        said = tried("unshare", "-Ur", "sh", "-c", script, "sh", "--inh-caps", "-all")
        assert said.startswith(f"UsageError --backend namespaces: {steps.USER}: ")
        assert "user.max_user_namespaces" in said

    @pytest.mark.skipif(os.geteuid() != 0, reason="takes root, to become nobody in a closed room")
    def test_a_covered_proc_is_the_reason(self) -> None:
        script = "mount --make-rprivate / && mount -t tmpfs none /proc/bus && exec"
        nobody = ["setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups"]
        said = tried(
            *["unshare", "-m", "sh", "-c", f'{script} "$@"', "sh", *nobody], python=everybodys()
        )
        assert said.startswith(f"UsageError --backend namespaces: {steps.PROC}: ")


# Where the libraries are that we run with, and that a Python of the same version can share.
LIBRARIES = {**os.environ, "PYTHONPATH": str(Path(msgspec.__file__).parents[1])}


def everybodys() -> str:
    """A Python that nobody may run, with our libraries."""
    python = "/usr/bin/python3"
    tried = [python, "-c", "import msgspec"]
    if not os.path.exists(python) or subprocess.run(tried, env=LIBRARIES).returncode:
        pytest.skip(f"{python} cannot share our libraries, and others may be out of nobody's reach")
    return python


@pytest.mark.skipif(os.geteuid() != 0, reason="is not root, and tests this all the time")
class TestRootless:
    def test_a_lab_runs_as_nobody(self) -> None:
        nobody = ["setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups"]
        if shutil.which("setpriv") is None:
            pytest.skip("there is no setpriv")
        said = subprocess.run(
            [*nobody, everybodys(), "-B", "-m", "tests.backends.rootless"],
            cwd=ROOT,
            env=LIBRARIES,
            capture_output=True,
            text=True,
        )
        if "unprivileged" in said.stderr:
            pytest.skip(said.stderr)
        assert said.returncode == 0, said.stderr
        answers = json.loads(said.stdout)
        assert answers["echo"] == "hello\n"
        assert answers["missing"] == ["cpu-limit", "memory-limit"]
        assert answers["rule"] == {"matched": 0, "taken": 0}
        assert answers["left"] == []


def test_unavailable_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "iolab.harness.backends.namespaces.backend._HOLDER", "tests.backends.no_such_holder"
    )
    with pytest.raises(BackendUnavailable, match="the process that holds the labs has ended"):
        Namespaces(identity.new_id()).check()
