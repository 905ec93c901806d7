"""A small network of its own for each lab: IPv4 and IPv6, internal, without a way out."""

from __future__ import annotations

import ipaddress
import random
from collections.abc import Iterator, Mapping
from pathlib import Path

from docker import DockerClient
from docker.errors import APIError
from docker.models.networks import Network
from docker.types import IPAMConfig, IPAMPool
from tenacity import Retrying, retry_if_exception, stop_after_attempt

from iolab.harness.backends.docker.engine import EngineError, explain, explained

# Docker's own pools hold about 31 networks, and its default subnet is far too large for a lab.
POOL_4 = ipaddress.IPv4Network("10.91.0.0/16")
POOL_6 = ipaddress.IPv6Network("fd10:91ab:0:0::/48")
MOST_TRIES = 8


def create(client: DockerClient, name: str, labels: Mapping[str, str], *, ipv6: bool) -> Network:
    """A network in a free subnet, and in another one when a neighbouring run was faster."""

    def conflicts(error: BaseException) -> bool:
        return isinstance(error, APIError) and any(
            word in explain(error) for word in ("overlap", "conflict", "in use")
        )

    with explained(f"network {name}"):
        return Retrying(
            retry=retry_if_exception(conflicts), stop=stop_after_attempt(MOST_TRIES), reraise=True
        )(_create, client, name, labels, ipv6)


def _create(client: DockerClient, name: str, labels: Mapping[str, str], ipv6: bool) -> Network:
    taken = [*_networks(client), *_routes()]
    free = [
        subnet
        for subnet in POOL_4.subnets(new_prefix=24)
        if not any(subnet.overlaps(other) for other in taken)
    ]
    if not free:
        raise EngineError(
            f"no free subnet is left in {POOL_4}: remove networks that are not in use"
        )
    # At random, because runs that start together would otherwise all want the first.
    subnet = random.choice(free)
    pools = [IPAMPool(subnet=str(subnet))]
    if ipv6:
        number = int(subnet.network_address) >> 8 & 0xFF
        pools.append(IPAMPool(subnet=f"{POOL_6.network_address + (number << 64)}/64"))
    return client.networks.create(
        name,
        driver="bridge",
        internal=True,
        enable_ipv6=ipv6,
        ipam=IPAMConfig(pool_configs=pools),
        labels=dict(labels),
    )


def _networks(client: DockerClient) -> Iterator[ipaddress.IPv4Network]:
    for network in client.networks.list():
        for config in (network.attrs["IPAM"] or {}).get("Config") or ():
            subnet = ipaddress.ip_network(config["Subnet"])
            if isinstance(subnet, ipaddress.IPv4Network):
                yield subnet


def _routes() -> Iterator[ipaddress.IPv4Network]:
    """The host's routes into the pool; a wider one (a default route, a VPN) is merely shadowed."""
    for line in Path("/proc/net/route").read_text().splitlines()[1:]:
        fields = line.split()
        address, mask = (int.from_bytes(bytes.fromhex(fields[i]), "little") for i in (1, 7))
        route = ipaddress.ip_network((address, mask.bit_count()))
        if isinstance(route, ipaddress.IPv4Network) and route.subnet_of(POOL_4):
            yield route
