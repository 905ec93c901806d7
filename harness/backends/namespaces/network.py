"""The network of one lab: a bridge in a namespace of its own, and a cable to each node.

It is held by two descriptors, a namespace and a netlink socket in it, and gone with them. The
addresses are the same in every lab: no two labs ever meet.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from iolab.harness.backends.local import linux
from iolab.harness.backends.namespaces import steps
from iolab.harness.backends.namespaces.rtnetlink import Links
from iolab.harness.backends.namespaces.steps import StepFailed, step

PREFIXES = {4: ("10.91.0.0", 16), 6: ("fd91::", 64)}
BRIDGE_NUMBER = 1

_LOOPBACK_INDEX = 1
# A chain for each of a lab's connections, be they many; walked through in well under 0.1 ms.
_TCP_TABLE_ENTRIES = 4096
_DISCARD_PORT = 9
_ANSWER_S = 0.05
_REACHED_WITHIN_S = 5.0


def address(family: int, number: int) -> str:
    """The address of the lab's node of that number, from 2 up; the bridge has number 1."""
    if family == 4:
        return f"10.91.{number >> 8}.{number & 255}"
    return f"fd91::{number:x}"


@dataclass
class Cable:
    """Both ends of a veth pair, each with the socket that can see it."""

    port: int
    node: Links
    interface: int
    addresses: Sequence[tuple[int, str]]


class Network:
    """A bridge in a new network namespace."""

    def __init__(self) -> None:
        self._cables: dict[int, Cable] = {}
        self._families: set[int] = set()
        with _new_namespace() as namespace:
            self._namespace = os.dup(namespace)
            with step(steps.BRIDGE):
                self._links = Links()
                self._links.set_up(_LOOPBACK_INDEX, True)
                self._bridge = self._links.add_bridge("bridge")

    @contextlib.contextmanager
    def attached(self, number: int, families: Sequence[int]) -> Iterator[None]:
        """A new network namespace, plugged into the bridge; the caller is in it for as long.

        Whoever is forked meanwhile stays in it, and keeps it.
        """
        with _new_namespace() as namespace:
            with step(steps.VETH):
                node = Links()
                port = self._links.add_cable(f"node{number}", self._bridge, "eth0", namespace)
                interface = node.index("eth0")
                node.set_up(_LOOPBACK_INDEX, True)
                node.set_up(interface, True)
            with step(steps.ADDRESS):
                for family in families:
                    if family not in self._families:
                        self._families.add(family)
                        self._links.add_address(self._bridge, _with_prefix(family, BRIDGE_NUMBER))
                    node.add_address(interface, _with_prefix(family, number))
            addresses = [(family, address(family, number)) for family in families]
            self._cables[number] = Cable(port, node, interface, addresses)
            yield

    def unplug(self, number: int) -> None:
        """Set the bridge's end down: the node's end loses its carrier and keeps its addresses.

        StepFailed when that is not seen from both ends.
        """
        cable = self._cables[number]
        with step("unplugging a veth pair"):
            self._links.set_up(cable.port, False)
            if self._links.is_up(cable.port) or cable.node.has_carrier(cable.interface):
                raise StepFailed(f"node {number}: the veth pair was set down and is still up")

    def plug(self, number: int) -> None:
        """Set the bridge's end up; returns when a packet went to the node and one came back.

        StepFailed when none does.
        """
        cable = self._cables[number]
        with step("plugging a veth pair"):
            self._links.set_up(cable.port, True)
        self.reach(number)

    def reach(self, number: int) -> None:
        """Pass a packet to each of the node's addresses and see one come back, or StepFailed.

        The packet is a datagram to a port where nobody listens; what comes back is the kernel's
        refusal, which a connected UDP socket reports.
        """
        with step(steps.PACKET), _inside(self._namespace):
            for family, ip in self._cables[number].addresses:
                kind = socket.AF_INET if family == 4 else socket.AF_INET6
                with socket.socket(kind, socket.SOCK_DGRAM) as probe:
                    probe.connect((ip, _DISCARD_PORT))
                    if not _refused(probe):
                        raise StepFailed(
                            f"{steps.PACKET}: no answer from {ip} within {_REACHED_WITHIN_S:g} s"
                        )

    def close(self) -> None:
        """Let go of it all; the namespaces end with their last process."""
        for cable in self._cables.values():
            cable.node.close()
        self._links.close()
        os.close(self._namespace)


@contextlib.contextmanager
def _inside(namespace: int) -> Iterator[None]:
    before = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        linux.setns(namespace, linux.CLONE_NEWNET)
        yield
    finally:
        linux.setns(before, linux.CLONE_NEWNET)
        os.close(before)


@contextlib.contextmanager
def _new_namespace() -> Iterator[int]:
    """Be in a new network namespace meanwhile; gives a descriptor of it, and closes that."""
    before = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        with step(steps.NETWORK):
            linux.unshare(linux.CLONE_NEWNET)
        try:
            namespace = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
            try:
                _configure()
                yield namespace
            finally:
                os.close(namespace)
        finally:
            linux.setns(before, linux.CLONE_NEWNET)
    finally:
        os.close(before)


def _with_prefix(family: int, number: int) -> str:
    return f"{address(family, number)}/{PREFIXES[family][1]}"


def keep_tables_small() -> None:
    """Let the network namespaces that are made from the caller's have TCP tables of their own.

    They would share one with the whole machine, of hundreds of thousands of chains, and each dump
    of a lab's few sockets would walk through all of it. Before Linux 6.1 they do.
    """
    setting = Path("/proc/sys/net/ipv4/tcp_child_ehash_entries")
    if setting.exists():
        with step(steps.NETWORK):
            setting.write_text(str(_TCP_TABLE_ENTRIES))


def _configure() -> None:
    """Settings of the namespace that the caller is in, which has no interfaces yet."""
    settings = {
        # No link-local address, so no packets of the kernel's own about it.
        "ipv6/conf/default/addr_gen_mode": "1",
        # As in a container: a subject may serve port 80 without a capability.
        "ipv4/ip_unprivileged_port_start": "0",
    }
    with step(steps.NETWORK):
        for name, value in settings.items():
            path = Path("/proc/sys/net", name)
            if path.parent.is_dir():  # a kernel may have been built or started without IPv6
                path.write_text(value)


def _refused(probe: socket.socket) -> bool:
    deadline = time.monotonic() + _REACHED_WITHIN_S
    poll = select.poll()
    poll.register(probe, 0)
    while time.monotonic() < deadline:
        try:
            probe.send(b"anybody there?")
            if poll.poll(_ANSWER_S * 1000):
                probe.recv(1)
        except ConnectionRefusedError:
            return True
    return False
