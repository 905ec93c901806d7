"""Containers of a lab: hardened alike, and kept alive by a first process that only waits."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from docker import DockerClient
from docker.errors import NotFound
from docker.models.containers import Container
from docker.models.networks import Network
from docker.types import LogConfig, Ulimit

from iolab.harness.backends.base import Family
from iolab.harness.backends.docker.engine import explained

USER = "1000:1000"

# A first process that waits. Orphans of a PID namespace come to its first process, and one that
# ignores SIGCHLD has its children reaped by the kernel.
WAITER = ("env", "--ignore-signal=CHLD", "sleep", "infinity")

# The same for an image that is not ours, in a container that owns no PID namespace: every `sleep`
# takes a number of seconds.
ANY_WAITER = ("sleep", "2147483647")

# Reading /proc of another uid's dropped process takes the first two; the others are the wire's and
# those that signal the subject.
PROBE_CAPABILITIES = ("SYS_PTRACE", "DAC_READ_SEARCH", "NET_ADMIN", "NET_RAW", "KILL")

# Above every bound that a scenario sets on memory, and far below what would hurt the machine.
MEMORY = 2 * 1024**3
PIDS = 4096
DESCRIPTORS = 20_000


@dataclass(frozen=True)
class Address:
    """A place in a lab's network, kept while the cable is out: the engine would give it away."""

    addresses: Mapping[Family, str]

    @property
    def mac(self) -> str:
        """As old engines make it; new ones choose at random, and peers would ask in vain."""
        return "02:42:" + ":".join(f"{int(byte):02x}" for byte in self.addresses[4].split("."))

    def endpoint(self) -> dict[str, Any]:
        """For the engine, as the SDK's keyword arguments."""
        endpoint = {"ipv4_address": self.addresses[4], "mac_address": self.mac}
        if 6 in self.addresses:
            endpoint["ipv6_address"] = self.addresses[6]
        return endpoint


def create(
    client: DockerClient,
    image: str,
    name: str,
    labels: Mapping[str, str],
    *,
    argv: Sequence[str] = WAITER,
    user: str = USER,
    capabilities: Sequence[str] = (),
    seccomp: str | None = None,
    descriptors: int | None = DESCRIPTORS,
    network: tuple[Network, Address] | None = None,
    **others: Any,
) -> Container:
    """Create a container, hardened, not started; `argv` replaces the image's entrypoint.

    `descriptors` is None where the engine may not raise the limit; `seccomp` is a profile in JSON,
    None for the engine's own.
    """
    profile = [] if seccomp is None else [f"seccomp={seccomp}"]
    limits = () if descriptors is None else (descriptors,)
    if network is not None:
        connection, address = network
        # One that is per namespace, and would carry what one scenario's losses taught the kernel
        # about a peer into the next.
        others["sysctls"] = {"net.ipv4.tcp_no_metrics_save": "1"}
        others["network"] = connection.name
        others["networking_config"] = {
            connection.name: client.api.create_endpoint_config(**address.endpoint())
        }
    with explained(f"container {name}"):
        return client.containers.create(
            image,
            entrypoint=list(argv[:1]),
            command=list(argv[1:]),
            name=name,
            labels=dict(labels),
            user=user,
            read_only=True,
            cap_drop=["ALL"],
            cap_add=list(capabilities),
            security_opt=["no-new-privileges", *profile],
            mem_limit=MEMORY,
            memswap_limit=MEMORY,
            pids_limit=PIDS,
            ulimits=[Ulimit(name="nofile", soft=limit, hard=limit) for limit in limits],
            # What goes to standard output goes to us; nobody reads it a second time.
            log_config=LogConfig(type=LogConfig.types.NONE),
            **others,
        )


def start(container: Container) -> None:
    """Start it; returns when its first process runs."""
    with explained(f"starting container {container.name}"):
        container.start()


def remove(container: Container) -> None:
    """Remove it, running or not, with its anonymous volumes; one that is gone is no error."""
    with explained(f"removing container {container.name}"), contextlib.suppress(NotFound):
        container.remove(force=True, v=True)
