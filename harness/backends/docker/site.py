"""The containers and the network of a lab, which may serve one lab after another.

Containers take half a second to make and another to remove; processes in them a twentieth. So
what a lab leaves is cleaned, and the next lab of the same kind gets it, with fresh processes, when
it was *seen* clean: no process but the waiters, no socket, no iptables rule, all cables in, no
limit. What is not clean is removed and made anew.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import ip_network

from docker import DockerClient
from docker.models.containers import Container
from docker.models.networks import Network

from iolab.harness.backends import identity
from iolab.harness.backends.docker import containers, networks, removal
from iolab.harness.backends.docker.containers import Address
from iolab.harness.backends.docker.engine import RUN_LABEL, EngineError
from iolab.harness.backends.docker.inside import program
from iolab.harness.backends.docker.keeper import WARM, Keeper, KeptProcess
from iolab.harness.backends.docker.processes import ExecProcess

# The first address of a subnet is the engine's own.
FIRST_HOST = 2
FILES_AT = "/subject"
SITE_LABEL = "iolab.site"


@dataclass(frozen=True)
class Kind:
    """What two labs must share for one to take over the other's containers."""

    image: str
    user: str
    capabilities: tuple[str, ...]
    writable: tuple[str, ...]
    seccomp: str | None
    volume: str | None
    first_process: tuple[str, ...] | None
    """The subject's own command, where the image has nothing that could wait."""
    environment: tuple[tuple[str, str], ...] = ()
    """Of the first process; an exec brings its own."""


@dataclass(frozen=True)
class Equipment:
    """What all sites of a backend are made with."""

    client: DockerClient
    labels: Mapping[str, str]
    images: Mapping[str, str]
    descriptors: int | None
    ipv6: bool

    def must_live(self) -> None:
        """EngineError when the run's main process has ended: the watchdog is removing the run."""
        if identity.alive(self.labels[RUN_LABEL]) is False:
            raise EngineError("the run's main process has ended: nothing more is made for it")


class Unclean(Exception):
    """What is left of a lab, in words; its containers are not used again."""


class Site:
    """A network, the two containers of a pod, and containers for clients."""

    def __init__(self, equipment: Equipment, name: str, kind: Kind) -> None:
        self.equipment = equipment
        self.client = equipment.client
        self.name = name
        self.kind = kind
        self.network: Network
        self.pod_address: Address
        self.probe: Container
        self.subject: Container
        self._clients: list[tuple[Container, Address]] = []
        self._keepers: dict[str, Keeper] = {}
        self._used = 0
        self._hosts = itertools.count(FIRST_HOST)

    def build(self) -> None:
        """Make network and pod, and one client's container beside it, as every lab needs one.

        The caller removes the site when this fails.
        """
        self.equipment.must_live()
        self.network = networks.create(
            self.client, self.name, self._labels(), ipv6=self.equipment.ipv6
        )
        self.pod_address = self._address()
        with ThreadPoolExecutor(1) as pool:
            first_client = pool.submit(self._add_client)
            self._build_pod()
            first_client.result()
        # It may have died meanwhile, and the watchdog been too early to see what was being made.
        self.equipment.must_live()

    def client_node(self, number: int) -> tuple[Container, Address]:
        """The container for the lab's client of that number, counting from 0."""
        while number >= len(self._clients):
            self._add_client()
        self._used = max(self._used, number + 1)
        return self._clients[number]

    def spawn(
        self, container: Container, argv: Sequence[str], env: Mapping[str, str] | None = None
    ) -> ExecProcess | KeptProcess:
        """Start a process in a container: as a fork of its keeper, if that can, or by exec."""
        if tuple(argv) in WARM:
            if str(container.id) not in self._keepers:
                self._keepers[str(container.id)] = Keeper(self.client, container, argv)
            if self._keepers[str(container.id)].free:
                return self._keepers[str(container.id)].run(argv, env)
        return ExecProcess(self.client, container, argv, env)

    def clean(self) -> None:
        """Make it as new; Unclean or EngineError when that was not seen."""
        renew = bool(self.kind.writable) or self.kind.first_process is not None
        if renew:
            containers.remove(self.subject)
        nodes = [(self.probe, 1 if renew else 2, ["pod"])]
        nodes += [(container, 1, []) for container, _ in self._clients[: self._used]]
        with ThreadPoolExecutor(len(nodes)) as pool:
            for left in pool.map(lambda node: self._clean(*node), nodes):
                if left:
                    raise Unclean(f"{self.name}: {' '.join(left.split())}")
        self._used = 0
        if renew:
            self.subject = self._create_subject()
            self._start_subject()
        self.subject.reload()
        if self.kind.first_process is None and self.subject.status != "running":
            raise Unclean(f"{self.name}: the subject's container is {self.subject.status}")

    def remove(self) -> None:
        """Remove it, and whatever bears its name from a build that failed."""
        self.let_go()
        removal.remove(self.client, SITE_LABEL, self.name)

    def let_go(self) -> None:
        """Its processes are heard no more: it is being removed."""
        for keeper in self._keepers.values():
            keeper.process.end()

    def _address(self) -> Address:
        number = next(self._hosts)
        subnets = [ip_network(config["Subnet"]) for config in self.network.attrs["IPAM"]["Config"]]
        return Address({subnet.version: str(subnet[number]) for subnet in subnets})

    def _labels(self) -> dict[str, str]:
        return {**self.equipment.labels, SITE_LABEL: self.name}

    def _build_pod(self) -> None:
        self.probe = containers.create(
            self.client,
            self.equipment.images["probe"],
            f"{self.name}-probe",
            self._labels(),
            user="0:0",
            capabilities=containers.PROBE_CAPABILITIES,
            descriptors=self.equipment.descriptors,
            network=(self.network, self.pod_address),
        )
        with ThreadPoolExecutor(1) as pool:
            started = pool.submit(containers.start, self.probe)
            self.subject = self._create_subject()
            started.result()
        self._start_subject()

    def _create_subject(self) -> Container:
        kind, pod = self.kind, f"container:{self.probe.id}"
        return containers.create(
            self.client,
            kind.image,
            f"{self.name}-subject",
            self._labels(),
            argv=kind.first_process or containers.ANY_WAITER,
            user=kind.user,
            capabilities=kind.capabilities,
            seccomp=kind.seccomp,
            descriptors=self.equipment.descriptors,
            environment=dict(kind.environment),
            stdin_open=kind.first_process is not None,
            network_mode=pod,
            pid_mode=pod,
            tmpfs=dict.fromkeys(kind.writable, "mode=1777"),
            volumes={kind.volume: {"bind": FILES_AT, "mode": "ro"}} if kind.volume else {},
            working_dir=FILES_AT if kind.volume else None,
        )

    def _start_subject(self) -> None:
        if self.kind.first_process is None:
            containers.start(self.subject)

    def _add_client(self) -> None:
        self.equipment.must_live()
        address = self._address()
        container = containers.create(
            self.client,
            self.equipment.images["client"],
            f"{self.name}-client{len(self._clients)}",
            self._labels(),
            descriptors=self.equipment.descriptors,
            network=(self.network, address),
        )
        containers.start(container)
        self._clients.append((container, address))

    def _clean(self, container: Container, waiters: int, more: Sequence[str]) -> str:
        """What could not be removed from it."""
        keeper = self._keepers.get(str(container.id))
        if keeper is None:
            command = (*program("clean"), str(waiters), *more)
            return ExecProcess(self.client, container, command).output()
        if not keeper.free:
            return f"{container.name}: what ran in it does not end"
        return keeper.run_inside("clean", [str(waiters + 1), *more]).output()
