"""A lab of processes, as the harness holds it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NoReturn

from iolab.harness.backends.base import BackendError, Family, LabNodes, Node, Pod, Process
from iolab.harness.backends.channel import Channel
from iolab.harness.backends.declared import PROCESSES
from iolab.harness.backends.local import limits
from iolab.harness.backends.local.holder import Holder
from iolab.harness.backends.local.node import NodeInit, end_all
from iolab.harness.backends.local.subject import SpawnedSubject, subject_environment, user_of
from iolab.harness.backends.processes.ports import Reservation
from iolab.harness.places import ROOT
from iolab.harness.subject.manifest import Subject

_LAST_NODE = 254


class ProcessNode(Node):
    """An address of the loopback device; its processes are all the lab's."""

    def __init__(self, lab: ProcessLab, name: str, addresses: Mapping[Family, str]) -> None:
        self.name = name
        self.addresses = addresses
        self._lab = lab

    def spawn(self, argv: Sequence[str], env: Mapping[str, str] | None = None) -> Process:
        return self._lab.init.spawn(argv, env)

    def unplug(self) -> NoReturn:
        raise BackendError(PROCESSES.absent["cable"])

    def plug(self) -> NoReturn:
        raise BackendError(PROCESSES.absent["cable"])


class ProcessPod(ProcessNode, Pod):
    """The subject's address and port; the subject is the probe's child."""

    def __init__(self, lab: ProcessLab, subject: Subject, port: int) -> None:
        self.port = port
        self._subject = subject
        # Without being told where, a server listens on the usual address or on all.
        number = 1 if subject.takes_any_port else None
        super().__init__(lab, "pod", lab.addresses(number))

    def start_probe(self) -> Process:
        return self.spawn(["python3", "-m", "iolab.harness.beside.probe"])

    def start_subject(self, probe: Channel) -> SpawnedSubject:
        host = "::" if len(self.addresses) > 1 else next(iter(self.addresses.values()))
        return SpawnedSubject(
            probe,
            self._subject.argv(host, self.port),
            env=subject_environment(self._subject),
            cwd=str(self._subject.files or ROOT),
            nofile=limits.most_descriptors(),
            user=user_of(self._subject),
        )

    def limit(self, *, memory: int | None = None, cpus: float | None = None) -> NoReturn:
        raise BackendError(PROCESSES.absent["memory-limit" if cpus is None else "cpu-limit"])

    def tolerances(self) -> Sequence[str]:
        subject = self._subject
        told = []
        if subject.user is not None:
            kept = user_of(subject) is None
            instead = "the user of the harness, not as " if kept else ""
            told.append(f"user: runs as {instead}{subject.user}")
        told += [f"writable: {folder} is the machine's own" for folder in subject.writable]
        if subject.capabilities:
            names = ", ".join(subject.capabilities)
            told.append(f"capabilities: those of the harness, which may lack {names}")
        return told


class ProcessLab(LabNodes):
    """A port, an init, and the processes below it."""

    def __init__(
        self,
        holder: Holder,
        number: int,
        subject: Subject,
        families: Sequence[Family],
        port: Reservation,
    ) -> None:
        self._holder = holder
        self._number = number
        self._families = tuple(families)
        self._port = port.port
        self._closed = False
        self._clients: dict[str, ProcessNode] = {}
        self.init = NodeInit(holder, "lab", {"lab": number}, [port.fileno()])
        self.pod = ProcessPod(self, subject, port.port)

    def client(self, name: str) -> Node:
        if name not in self._clients:
            number = 2 + len(self._clients)
            if number > _LAST_NODE:
                raise BackendError(f"a lab has at most {_LAST_NODE} nodes")
            self._clients[name] = ProcessNode(self, name, self.addresses(number))
        return self._clients[name]

    def addresses(self, number: int | None) -> dict[Family, str]:
        """The addresses of the lab's node of that number; of None, those that everybody knows.

        The port is in them, and so no two labs share one. IPv6 has a single loopback address.
        """
        high, low = divmod(self._port, 256)
        known: dict[Family, str] = {
            4: "127.0.0.1" if number is None else f"127.{high}.{low}.{number}",
            6: "::1",
        }
        return {family: known[family] for family in self._families}

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            end_all([self.init])
            self._holder.ask("close", lab=self._number)
