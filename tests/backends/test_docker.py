"""What only the Docker backend does: hardening, foreign images, files, kept containers, sweep."""

from __future__ import annotations

import errno
import io
import json
import random
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import pytest
from docker import DockerClient
from docker.models.networks import Network

from iolab.harness.backends import identity
from iolab.harness.backends.base import BackendError, LabNodes
from iolab.harness.backends.channel import Channel
from iolab.harness.backends.docker import images, networks, removal
from iolab.harness.backends.docker.backend import DockerBackend
from iolab.harness.backends.docker.engine import RUN_LABEL
from iolab.harness.backends.docker.lab import DockerLab
from iolab.harness.cli import housekeeping
from iolab.harness.errors import UsageError
from iolab.harness.progress import Progress
from iolab.harness.subject.manifest import Subject
from tests.backends.hearing import Hearing
from tests.backends.subjects import ECHO, python, serving
from tests.waiting import PATIENCE_S, wait_until

pytestmark = pytest.mark.parametrize("backend", ["docker"], indirect=True, scope="module")

DEAD_RUN = "4194304-" + identity.new_id().partition("-")[2]
UNSEEN_RUN = "another-machines-run"

# Prints one JSON object about itself.
CONFESSES = serving(
    "confesses",
    """
    import json, os, resource
    status = dict(line.split(":", 1) for line in open("/proc/self/status"))
    def may_write(path):
        try:
            open(os.path.join(path, "file"), "w").close()
        except OSError:
            return False
        return True
    print(json.dumps({
        "uid": os.getuid(),
        "capabilities": int(status["CapBnd"], 16) | int(status["CapEff"], 16),
        "no_new_privileges": status["NoNewPrivs"].strip() == "1",
        "descriptors": resource.getrlimit(resource.RLIMIT_NOFILE)[1],
        "may_write": [path for path in ("/", "/tmp", "/scratch", os.getcwd()) if may_write(path)],
        "here": sorted(os.listdir(".")),
    }))
    """,
)


@pytest.fixture
def client(backend: DockerBackend) -> DockerClient:
    return backend.client


def confess(backend: DockerBackend, subject: Subject) -> dict[str, object]:
    lab = backend.open_lab(subject)
    probe = Channel("probe", lab.pod.start_probe())
    process = lab.pod.start_subject(probe)
    assert process.wait(PATIENCE_S) == 0, process.log()
    wait_until("its words", process.log)
    lab.close()
    said = json.loads(process.log()[-1][2])
    assert isinstance(said, dict)
    return said


def pod_containers(lab: LabNodes) -> set[str]:
    assert isinstance(lab, DockerLab)
    return {str(container.id) for container in (lab._site.probe, lab._site.subject)}


class TestHardening:
    def test_a_subject_gets_nothing_that_it_did_not_ask_for(self, backend: DockerBackend) -> None:
        said = confess(backend, CONFESSES)
        assert (said["uid"], said["capabilities"]) == (1000, 0)
        assert said["no_new_privileges"]
        assert said["descriptors"] == 20_000
        assert said["may_write"] == []

    def test_what_its_manifest_asks_for_is_given_and_told(self, backend: DockerBackend) -> None:
        subject = replace(
            CONFESSES, user="0:0", writable=("/scratch",), capabilities=("NET_BIND_SERVICE",)
        )
        said = confess(backend, subject)
        assert (said["uid"], said["capabilities"]) == (0, 1 << 10)
        assert said["may_write"] == ["/scratch"]
        lab = backend.open_lab(subject)
        assert lab.pod.tolerances() == [
            "runs as user 0:0, not 1000:1000",
            "may write to /scratch",
            "has the capabilities NET_BIND_SERVICE",
        ]
        lab.close()

    def test_what_it_wrote_is_gone_in_the_next_lab(self, backend: DockerBackend) -> None:
        code = """
            import os
            path = "/scratch/note"
            print(os.path.exists(path))
            open(path, "w").close()
        """
        for _ in range(2):
            lab = backend.open_lab(serving("notes", code, writable=("/scratch",)))
            process = lab.pod.start_subject(Channel("probe", lab.pod.start_probe()))
            assert process.wait(PATIENCE_S) == 0
            wait_until("its words", process.log)
            assert process.log()[0][2] == "False"
            lab.close()

    def test_there_is_no_way_out_of_the_network(
        self, backend: DockerBackend, client: DockerClient
    ) -> None:
        lab = backend.open_lab(ECHO)
        mine = client.networks.list(filters={"label": f"{RUN_LABEL}={backend.run_id}"})
        assert mine
        assert all(network.attrs["Internal"] for network in mine)
        lab.close()


# Tries system calls of these numbers with arguments that none of them can take.
TRIES = serving(
    "tries",
    """
    import ctypes, json
    libc = ctypes.CDLL(None, use_errno=True)
    calls = {"io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427}
    def error_of(number):
        libc.syscall(number, -1, 0, 0, 0, 0, 0)
        return ctypes.get_errno()
    print(json.dumps({name: error_of(calls[name]) for name in calls}))
    """,
)
PROFILE = Path(__file__).parents[2] / "docker/io_uring.seccomp.json"


class TestSystemCalls:
    def test_the_profile_for_io_uring_lets_its_calls_through(self, backend: DockerBackend) -> None:
        errors = confess(backend, replace(TRIES, seccomp=PROFILE))
        assert errno.EPERM not in errors.values(), errors

    def test_the_manifests_profile_is_the_one_that_holds(
        self, backend: DockerBackend, tmp_path: Path
    ) -> None:
        without = json.loads(PROFILE.read_text())
        without["syscalls"] = [
            rule for rule in without["syscalls"] if "io_uring_setup" not in rule["names"]
        ]
        mine = tmp_path / "mine.json"
        mine.write_text(json.dumps(without))
        errors = confess(backend, replace(TRIES, seccomp=mine))
        assert set(errors.values()) == {errno.EPERM}, errors
        lab = backend.open_lab(replace(TRIES, seccomp=mine))
        assert lab.pod.tolerances() == ["may make the system calls of mine.json"]
        lab.close()


class TestFiles:
    def test_they_are_copied_and_the_subject_runs_among_them(
        self, backend: DockerBackend, tmp_path: Path
    ) -> None:
        (tmp_path / "secret").write_text("readable by its owner alone")
        (tmp_path / "secret").chmod(0o600)
        (tmp_path / "__pycache__").mkdir()
        said = confess(backend, replace(CONFESSES, files=tmp_path))
        assert said["here"] == ["secret"]
        assert said["may_write"] == []


class TestForeignImage:
    @pytest.fixture
    def image(self, backend: DockerBackend, client: DockerClient) -> Iterator[str]:
        """An image with a command of its own, in which nothing could wait."""
        base = images.ensure(client, Progress())["server"]
        dockerfile = (
            f"FROM {base}\nUSER 0:0\nRUN rm /bin/sleep\n"
            'ENTRYPOINT ["python3", "-c"]\nCMD ["print(input())"]\n'
        )
        built, _ = client.images.build(
            fileobj=io.BytesIO(dockerfile.encode()), tag="iolab/test-foreign", rm=True
        )
        yield "iolab/test-foreign"
        client.images.remove(str(built.id), force=True)

    def test_its_own_command_runs_first_in_its_container(
        self, backend: DockerBackend, image: str
    ) -> None:
        lab = backend.open_lab(Subject(name="foreign", manifest=None, port=1, image=image))
        assert "children that outlive it cannot be seen" in lab.pod.tolerances()[0]
        probe = Channel("probe", lab.pod.start_probe())
        for word in ("once", "again"):
            process = lab.pod.start_subject(probe)
            process.write(f"{word}\n".encode())
            assert process.wait(PATIENCE_S) == 0
            wait_until("its words", process.log)
            assert [line for _, _, line in process.log()] == [word]
        lab.close()

    def test_one_that_cannot_be_had_is_named(self, backend: DockerBackend) -> None:
        manifest = Path("mine.toml")
        subject = Subject(name="x", manifest=manifest, port=1, image="iolab/does-not-exist:1")
        with pytest.raises(UsageError, match=r"^mine.toml: image: iolab/does-not-exist:1 is not"):
            backend.open_lab(subject)


class TestKeptContainers:
    def test_the_next_lab_of_the_kind_gets_them(self, backend: DockerBackend) -> None:
        lab = backend.open_lab(ECHO)
        first = pod_containers(lab)
        lab.close()
        lab = backend.open_lab(CONFESSES)
        assert pod_containers(lab) == first
        lab.close()

    @pytest.mark.parametrize("left", ["unplugged", "limited"])
    def test_but_not_after_what_was_not_undone(self, backend: DockerBackend, left: str) -> None:
        lab = backend.open_lab(ECHO)
        first = pod_containers(lab)
        if left == "unplugged":
            lab.client("a").unplug()
        else:
            lab.pod.limit(cpus=0.5)
        lab.close()
        lab = backend.open_lab(ECHO)
        assert pod_containers(lab).isdisjoint(first)
        lab.close()

    def test_nor_when_a_client_has_used_up_its_ports(self, backend: DockerBackend) -> None:
        churn = """
            import socket
            listener = socket.create_server(("127.0.0.1", 0))
            for _ in range(8_000):
                with socket.create_connection(listener.getsockname()), listener.accept()[0]:
                    pass
            print("done")
        """
        lab = backend.open_lab(ECHO)
        first = pod_containers(lab)
        hearing = Hearing(lab.client("busy").spawn(python(churn)))
        assert hearing.all() == b"done\n"
        lab.close()
        lab = backend.open_lab(ECHO)
        assert pod_containers(lab).isdisjoint(first)
        lab.close()

    def test_an_iptables_rule_is_gone(self, backend: DockerBackend) -> None:
        lab = backend.open_lab(ECHO)
        rule = ("iptables", "-t", "mangle", "-A", "INPUT", "-j", "DROP")
        assert Hearing(lab.pod.spawn(rule)).all() == b""
        lab.close()
        lab = backend.open_lab(ECHO)
        rules = Hearing(lab.pod.spawn(("iptables", "-t", "mangle", "-S", "INPUT"))).all()
        assert rules == b"-P INPUT ACCEPT\n"
        lab.close()


class TestNetworks:
    def test_each_has_a_subnet_of_its_own(self, backend: DockerBackend) -> None:
        labs = [backend.open_lab(ECHO) for _ in range(3)]
        subnets = {lab.pod.addresses[4].rpartition(".")[0] for lab in labs}
        assert len(subnets) == 3
        for lab in labs:
            lab.close()

    def test_one_that_is_taken_is_passed_over(
        self, backend: DockerBackend, client: DockerClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def create(name: str) -> Network:
            labels = {RUN_LABEL: backend.run_id}
            return networks.create(client, f"iolab-{backend.run_id}-{name}", labels, ipv6=False)

        def subnet(network: Network) -> str:
            return str(network.attrs["IPAM"]["Config"][0]["Subnet"])

        first = create("first")
        # As if both had read the list of networks before either made one.
        choose = random.choice
        choices = [lambda free: ip_network(subnet(first)), choose]
        monkeypatch.setattr("random.choice", lambda free: choices.pop(0)(free))
        second = create("second")
        assert subnet(first) != subnet(second)
        for network in (first, second):
            network.remove()


class TestSweep:
    @pytest.fixture
    def leftovers(self, backend: DockerBackend, client: DockerClient) -> Iterator[None]:
        """A volume of a dead run, and of one that cannot be seen from here."""
        for run_id in (DEAD_RUN, UNSEEN_RUN):
            client.volumes.create(f"iolab-test-{run_id}", labels={RUN_LABEL: run_id})
        yield
        for run_id in (DEAD_RUN, UNSEEN_RUN):
            removal.remove(client, RUN_LABEL, run_id)

    @pytest.mark.usefixtures("leftovers")
    def test_it_removes_dead_runs_and_nothing_else(
        self, backend: DockerBackend, client: DockerClient, capsys: pytest.CaptureFixture[str]
    ) -> None:
        lab = backend.open_lab(ECHO)
        before = backend.leftovers()
        assert housekeeping.sweep(()) == 0
        assert not removal.owned(client, RUN_LABEL, DEAD_RUN)
        assert removal.owned(client, RUN_LABEL, UNSEEN_RUN)
        assert set(backend.leftovers()) == set(before)
        said = capsys.readouterr().out
        assert f"dead run {DEAD_RUN}: removed 1" in said
        assert f"run {UNSEEN_RUN}: left alone" in said
        lab.close()

    def test_nothing_is_made_for_a_run_that_has_died(self, backend: DockerBackend) -> None:
        orphan = DockerBackend(DEAD_RUN)
        with pytest.raises(BackendError, match="main process has ended"):
            orphan.open_lab(ECHO)
        orphan.close()


def test_images_that_did_not_change_are_not_built(
    backend: DockerBackend, client: DockerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = images.ensure(client, Progress())
    monkeypatch.setattr(images, "_build", lambda *_: pytest.fail("built again"))
    assert images.ensure(client, Progress()) == first
