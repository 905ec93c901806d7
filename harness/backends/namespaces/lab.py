"""A lab of namespaces, as the harness holds it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence

from iolab.harness.backends.base import Family, LabNodes, Node, Pod, Process
from iolab.harness.backends.channel import Channel
from iolab.harness.backends.local import limits, linux
from iolab.harness.backends.local.holder import Holder
from iolab.harness.backends.local.node import NodeInit, end_all
from iolab.harness.backends.local.subject import SpawnedSubject, subject_environment, user_of
from iolab.harness.backends.namespaces import confine
from iolab.harness.backends.namespaces.cgroup import Groups
from iolab.harness.backends.namespaces.network import address
from iolab.harness.backends.namespaces.node import READ_ANYTHING
from iolab.harness.errors import UsageError
from iolab.harness.places import IMPORTED_FROM, ROOT
from iolab.harness.subject.manifest import Subject

# Number 1 is the bridge's own.
_POD_NUMBER = 2


class NamespaceNode(Node):
    """A set of namespaces with an init that starts what it is asked to."""

    def __init__(self, lab: NamespaceLab, name: str, number: int, **description: object) -> None:
        self.name = name
        self.addresses = {family: address(family, number) for family in lab.families}
        self._lab = lab
        self._number = number
        about = {"lab": lab.number, "number": number, "name": name, "families": list(lab.families)}
        self._init = NodeInit(lab.holder, "node", {**about, **description})
        lab.inits.append(self._init)

    def spawn(self, argv: Sequence[str], env: Mapping[str, str] | None = None) -> Process:
        return self._init.spawn(argv, env)

    def unplug(self) -> None:
        self._lab.holder.ask("unplug", lab=self._lab.number, number=self._number)

    def plug(self) -> None:
        self._lab.holder.ask("plug", lab=self._lab.number, number=self._number)


class NamespacePod(NamespaceNode, Pod):
    """The node of probe and subject; the probe's descendant, the subject is confined to less."""

    def __init__(self, lab: NamespaceLab, subject: Subject, groups: Groups) -> None:
        self.port = subject.port
        self._subject = subject
        self._groups = groups
        try:
            self._capabilities = linux.capability_set(*subject.capabilities)
        except ValueError as error:
            raise UsageError(f"{subject.manifest or subject.name}: capabilities: {error}") from None
        for folder in subject.writable:
            if not os.path.isdir(folder):
                raise UsageError(
                    f"{subject.manifest or subject.name}: writable: {folder} must be a folder of"
                    " this machine, over which the backend namespaces lays memory"
                )
        self._files = str(subject.files or ROOT)
        super().__init__(
            lab,
            "pod",
            _POD_NUMBER,
            pod=True,
            capabilities=list(subject.capabilities),
            writable=list(subject.writable),
            needed=[str(IMPORTED_FROM), self._files, sys.prefix, sys.base_prefix],
            cgroups=[str(folder) for folder in groups.folders],
        )

    def start_probe(self) -> Process:
        return self.spawn(["python3", "-m", "iolab.harness.beside.probe"])

    def start_subject(self, probe: Channel) -> SpawnedSubject:
        host = "::" if 6 in self.addresses else "0.0.0.0"
        argv = confine.argv(
            self._subject.argv(host, self.port),
            imported_from=str(IMPORTED_FROM),
            cwd=self._files,
            user=user_of(self._subject),
            capabilities=READ_ANYTHING | self._capabilities,
            cgroups=[str(folder) for folder in self._groups.folders],
        )
        return SpawnedSubject(
            probe,
            argv,
            env=subject_environment(self._subject),
            cwd=str(ROOT),
            nofile=limits.most_descriptors(),
        )

    def limit(self, *, memory: int | None = None, cpus: float | None = None) -> None:
        self._groups.limit_memory(memory)
        self._groups.limit_cpus(cpus)

    def tolerances(self) -> Sequence[str]:
        subject, loosened = self._subject, []
        if subject.user and user_of(subject) is None:
            loosened.append(f"user: runs as the user of the harness, not as {subject.user}")
        elif subject.user:
            loosened.append(f"user: runs as {subject.user}")
        loosened += [f"writable: {folder}, in memory" for folder in subject.writable]
        loosened += [f"capabilities: {name}" for name in subject.capabilities]
        if not self._lab.holder.facts["read_only"]:
            loosened.append("root: writable, as Linux before 5.12 cannot make it read-only")
        return loosened


class NamespaceLab(LabNodes):
    """The bridge, the pod and the clients of one lab."""

    def __init__(
        self,
        holder: Holder,
        number: int,
        subject: Subject,
        families: Sequence[Family],
        groups: Groups,
    ) -> None:
        self.holder = holder
        self.number = number
        self.families = tuple(families)
        self.inits: list[NodeInit] = []
        self._groups = groups
        self._closed = False
        self._clients: dict[str, NamespaceNode] = {}
        try:
            holder.ask("network", lab=number)
            self.pod = NamespacePod(self, subject, groups)
        except BaseException:
            self.close()
            raise

    def client(self, name: str) -> Node:
        if name not in self._clients:
            number = _POD_NUMBER + 1 + len(self._clients)
            self._clients[name] = NamespaceNode(
                self, name, number, pod=False, writable=[], needed=[], cgroups=[]
            )
        return self._clients[name]

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            end_all(self.inits)
            self.holder.ask("close", lab=self.number)
            self._groups.remove()
