"""What this engine and its kernel allow, tried once a run by doing what a lab does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from docker import DockerClient
from docker.models.containers import Container

from iolab.harness.backends.docker import containers, networks, removal
from iolab.harness.backends.docker.engine import EngineError
from iolab.harness.backends.docker.processes import ExecProcess

TRIAL_LABEL = "iolab.trial"

# The wire's way into the kernel, in a network namespace that is thrown away.
_WIRE = """
for tool in iptables ip6tables; do
    printf '*mangle\\n-A PREROUTING -p tcp --dport 9 -j NFQUEUE --queue-num 9\\nCOMMIT\\n' |
        "$tool-restore" 2>&1
done
"""
_CAPTURE = """
python3 -c 'from socket import *; socket(AF_PACKET, SOCK_RAW).close()' 2>&1 | tail -n 1
"""


@dataclass(frozen=True)
class Findings:
    """What came out: needs that cannot be met, with the reason, and what labs must do without."""

    missing: Mapping[str, str]
    descriptors: int | None
    """How many a process may hold; None where the engine's own limit has to do."""
    ipv6: bool


def findings(client: DockerClient, name: str, labels: Mapping[str, str], image: str) -> Findings:
    """Try it; raises EngineError for the first step without which there is no lab at all."""
    labels = {**labels, TRIAL_LABEL: name}
    try:
        try:
            networks.create(client, name, labels, ipv6=True)
            ipv6 = True
        except EngineError:
            networks.create(client, name, labels, ipv6=False)
            ipv6 = False
        try:
            container = _container(client, name, labels, image, containers.DESCRIPTORS)
            descriptors: int | None = containers.DESCRIPTORS
        except EngineError:
            container = _container(client, name, labels, image, None)
            descriptors = None
        return Findings(_missing(client, container), descriptors, ipv6)
    finally:
        removal.remove(client, TRIAL_LABEL, name)


def _container(
    client: DockerClient,
    name: str,
    labels: Mapping[str, str],
    image: str,
    descriptors: int | None,
) -> Container:
    container = containers.create(
        client,
        image,
        f"{name}-{descriptors or 'plain'}",
        labels,
        user="0:0",
        capabilities=containers.PROBE_CAPABILITIES,
        descriptors=descriptors,
        network_mode=name,
    )
    containers.start(container)
    return container


def _missing(client: DockerClient, container: Container) -> dict[str, str]:
    info = client.info()
    missing = {}
    if not info.get("MemoryLimit"):
        missing["memory-limit"] = "the engine reports no memory cgroup"
    if not info.get("CpuCfsQuota"):
        missing["cpu-limit"] = "the engine reports no CPU quota"
    for need, script in (("wire", _WIRE), ("capture", _CAPTURE)):
        said = ExecProcess(client, container, ("sh", "-c", script)).output()
        if said:
            missing[need] = said.strip().splitlines()[-1]
    return missing
