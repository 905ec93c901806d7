"""One lab on Docker: what a scenario does with the containers of a site."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from docker.models.containers import Container
from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed

from iolab.harness.backends.base import Family, LabNodes, Node, Pod, Process, SubjectProcess
from iolab.harness.backends.docker import containers
from iolab.harness.backends.docker.containers import Address
from iolab.harness.backends.docker.engine import EngineError, explained
from iolab.harness.backends.docker.keeper import KeptProcess
from iolab.harness.backends.docker.processes import DockerSubject, ExecProcess, MainProcess
from iolab.harness.backends.docker.site import Site

if TYPE_CHECKING:
    from iolab.harness.backends.channel import Channel
    from iolab.harness.subject.manifest import Subject as Manifest

SEEN_WITHIN_S = 5.0
CPU_PERIOD_US = 100_000
NO_QUOTA = -1


class DockerNode(Node):
    """A container with an address of its own."""

    def __init__(self, site: Site, name: str, container: Container, address: Address) -> None:
        self.name = name
        self.addresses: Mapping[Family, str] = address.addresses
        self.plugged = True
        self._site = site
        self._container = container
        self._address = address
        self._processes: list[ExecProcess | KeptProcess] = []

    @property
    def container(self) -> str:
        """The name of its container."""
        return str(self._container.name)

    def spawn(self, argv: Sequence[str], env: Mapping[str, str] | None = None) -> Process:
        process = self._site.spawn(self._container, argv, env)
        self._processes.append(process)
        return process

    def unplug(self) -> None:
        with explained(f"unplugging {self.name}"):
            self._site.network.disconnect(self._container)
        self._until_seen(None)
        self.plugged = False

    def plug(self) -> None:
        with explained(f"plugging {self.name}"):
            self._site.network.connect(self._container, **self._address.endpoint())
        self._until_seen(self.addresses[4])
        self.plugged = True

    def end(self) -> None:
        """Nobody reads from the node's processes any more."""
        for process in self._processes:
            process.end()

    def _until_seen(self, address: str | None) -> None:
        def seen() -> str | None:
            with explained(f"inspecting {self.name}"):
                self._container.reload()
            networks = self._container.attrs["NetworkSettings"]["Networks"]
            return (networks.get(self._site.network.name) or {}).get("IPAddress") or None

        try:
            Retrying(
                retry=retry_if_result(lambda now: now != address),
                stop=stop_after_delay(SEEN_WITHIN_S),
                wait=wait_fixed(0.01),
            )(seen)
        except RetryError as error:
            raise EngineError(
                f"Docker: {self.name} should have the address {address} and has"
                f" {error.last_attempt.result()} after {SEEN_WITHIN_S:g} s"
            ) from None


class DockerPod(DockerNode, Pod):
    """The probe's container, which owns the namespaces, and the subject's, which joins them."""

    def __init__(self, site: Site, manifest: Manifest, command: Sequence[str]) -> None:
        super().__init__(site, "pod", site.probe, site.pod_address)
        self.port = manifest.port
        self.limited = False
        self._manifest = manifest
        self._command = command
        self._subjects: list[DockerSubject] = []

    def start_probe(self) -> Process:
        return self.spawn(("python3", "-m", "iolab.harness.beside.probe"))

    def spawn_as(self, argv: Sequence[str], user: str) -> Process:
        process = ExecProcess(self._site.client, self._container, argv, user=user)
        self._processes.append(process)
        return process

    def start_subject(self, probe: Channel) -> SubjectProcess:
        probe.request("mark")
        if self._site.kind.first_process is not None:
            process: ExecProcess | MainProcess = MainProcess(self._site.client, self._site.subject)
        else:
            process = ExecProcess(
                self._site.client,
                self._site.subject,
                self._command,
                self._manifest.environment,
            )
        subject = DockerSubject(process)
        self._subjects.append(subject)
        return subject

    def limit(self, *, memory: int | None = None, cpus: float | None = None) -> None:
        wanted = {
            "Memory": containers.MEMORY if memory is None else memory,
            "CpuQuota": NO_QUOTA if cpus is None else round(cpus * CPU_PERIOD_US),
        }
        self.limited = memory is not None or cpus is not None
        with explained("limiting the subject"):
            self._site.subject.update(
                mem_limit=wanted["Memory"],
                memswap_limit=wanted["Memory"],
                cpu_period=CPU_PERIOD_US,
                cpu_quota=wanted["CpuQuota"],
            )
            self._site.subject.reload()
        actual = {name: self._site.subject.attrs["HostConfig"][name] for name in wanted}
        if actual != wanted:
            raise EngineError(f"Docker: limits should be {wanted} and are {actual}")

    def tolerances(self) -> Sequence[str]:
        manifest = self._manifest
        loosened = []
        if manifest.user not in (None, containers.USER):
            loosened.append(f"runs as user {manifest.user}, not {containers.USER}")
        if manifest.writable:
            loosened.append(f"may write to {', '.join(manifest.writable)}")
        if manifest.capabilities:
            loosened.append(f"has the capabilities {', '.join(manifest.capabilities)}")
        if manifest.seccomp:
            loosened.append(f"may make the system calls of {manifest.seccomp.name}")
        if self._site.kind.first_process is not None:
            loosened.append(
                "is its container's first process, as the image has no `sleep`:"
                " children that outlive it cannot be seen"
            )
        return loosened

    def end(self) -> None:
        super().end()
        for subject in self._subjects:
            subject.end()


class DockerLab(LabNodes):
    """The nodes of a lab; `give_back` takes the site when it is closed, and whether to keep it."""

    def __init__(
        self,
        site: Site,
        manifest: Manifest,
        command: Sequence[str],
        give_back: Callable[[Site, bool], None],
    ) -> None:
        self.pod: DockerPod = DockerPod(site, manifest, command)
        self._site = site
        self._give_back = give_back
        self._clients: dict[str, DockerNode] = {}
        self._open = True

    def client(self, name: str) -> Node:
        if name not in self._clients:
            container, address = self._site.client_node(len(self._clients))
            self._clients[name] = DockerNode(self._site, name, container, address)
        return self._clients[name]

    def entrances(self) -> Sequence[str]:
        nodes = [self.pod, *self._clients.values()]
        names = [self._site.subject.name, *(node.container for node in nodes)]
        return [f"docker exec -it {name} sh" for name in names]

    def close(self) -> None:
        if not self._open:
            return
        self._open = False
        nodes: list[DockerNode] = [self.pod, *self._clients.values()]
        for node in nodes:
            node.end()
        usable = all(node.plugged for node in nodes) and not self.pod.limited
        self._give_back(self._site, usable)
