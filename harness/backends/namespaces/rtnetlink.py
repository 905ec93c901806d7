"""Links and addresses by rtnetlink(7): what a lab needs of `ip`, without `ip`.

Theory of operation. A netlink socket belongs for ever to the network namespace in which it was
made, wherever its owner goes afterwards. So a lab is one such socket in the bridge's namespace and
one in each node's, and no call here enters a namespace.

A request is a header (`nlmsghdr`), a fixed part (`ifinfomsg` or `ifaddrmsg`) and attributes
(`rtattr`: length, type, value, padded to four bytes; a value may itself be attributes). Every
request asks for an acknowledgement, an `nlmsgerr` whose errno is 0 when all went well, and the
kernel answers in order: so one `recv` a request is enough.
"""

from __future__ import annotations

import os
import socket
import struct
from ipaddress import ip_interface

_NLMSG_ERROR = 2
_RTM_NEWLINK, _RTM_GETLINK, _RTM_NEWADDR = 16, 18, 20
_NLM_F_REQUEST, _NLM_F_ACK, _NLM_F_EXCL, _NLM_F_CREATE = 0x1, 0x4, 0x200, 0x400

_IFLA_IFNAME, _IFLA_MASTER, _IFLA_LINKINFO = 3, 10, 18
_IFLA_NET_NS_FD, _IFLA_CARRIER = 28, 33
_IFLA_INFO_KIND, _IFLA_INFO_DATA = 1, 2
_IFLA_BR_MCAST_SNOOPING = 23
_VETH_INFO_PEER = 1

_IFA_ADDRESS, _IFA_LOCAL, _IFA_FLAGS = 1, 2, 8
_IFA_F_NODAD = 0x02

_IFF_UP = 1


class Links:
    """The network interfaces of the namespace in which it was made.

    Every method raises OSError with the kernel's errno.
    """

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self._socket.bind((0, 0))

    def close(self) -> None:
        """Let go of the namespace, which ends when nothing else is in it."""
        self._socket.close()

    def add_bridge(self, name: str) -> int:
        """A bridge that is up and floods multicast, as IPv6's neighbour discovery needs here."""
        snooping_off = _attribute(_IFLA_BR_MCAST_SNOOPING, b"\0")
        kind = _attribute(_IFLA_INFO_KIND, b"bridge") + _attribute(_IFLA_INFO_DATA, snooping_off)
        self._new_link(
            f"add bridge {name}",
            _interface(up=True) + _name(name) + _attribute(_IFLA_LINKINFO, kind),
        )
        return self.index(name)

    def add_cable(self, name: str, bridge: int, peer: str, peer_namespace: int) -> int:
        """A veth pair: one end up and plugged into the bridge, the other in a node, still down.

        `peer_namespace` is a descriptor of the node's network namespace.
        """
        other = (
            _interface()
            + _name(peer)
            + _attribute(_IFLA_NET_NS_FD, struct.pack("=I", peer_namespace))
        )
        kind = _attribute(_IFLA_INFO_KIND, b"veth") + _attribute(
            _IFLA_INFO_DATA, _attribute(_VETH_INFO_PEER, other)
        )
        self._new_link(
            f"add veth {name}",
            _interface(up=True)
            + _name(name)
            + _attribute(_IFLA_MASTER, struct.pack("=I", bridge))
            + _attribute(_IFLA_LINKINFO, kind),
        )
        return self.index(name)

    def set_up(self, index: int, up: bool) -> None:
        """Set an interface up or down."""
        what = f"set the link {'up' if up else 'down'}"
        self._ask(what, _RTM_NEWLINK, 0, _interface(index, up=up, change=_IFF_UP))

    def add_address(self, index: int, address: str) -> None:
        """Give an interface an address with its prefix, as in "10.0.0.1/24", valid at once."""
        interface = ip_interface(address)
        family = socket.AF_INET if interface.version == 4 else socket.AF_INET6
        packed = interface.ip.packed
        # IPv6 would otherwise hold the address back for a second, to see whether it is taken.
        self._ask(
            f"add address {address}",
            _RTM_NEWADDR,
            _NLM_F_CREATE | _NLM_F_EXCL,
            struct.pack("=BBBBi", family, interface.network.prefixlen, 0, 0, index)
            + _attribute(_IFA_LOCAL, packed)
            + _attribute(_IFA_ADDRESS, packed)
            + _attribute(_IFA_FLAGS, struct.pack("=I", _IFA_F_NODAD)),
        )

    def index(self, name: str) -> int:
        """The number of the interface of that name."""
        return self._get(f"find {name}", _interface() + _name(name))[0]

    def has_carrier(self, index: int) -> bool:
        """Whether the cable is plugged at both ends, as the kernel sees it from this one."""
        return self._get("look at a link", _interface(index))[1]

    def is_up(self, index: int) -> bool:
        """Whether the interface was set up."""
        return self._get("look at a link", _interface(index))[2]

    def _get(self, what: str, body: bytes) -> tuple[int, bool, bool]:
        answer = self._ask(what, _RTM_GETLINK, 0, body)
        _, _, _, index, flags, _ = struct.unpack_from("=BBHiII", answer)
        return index, _find(answer[16:], _IFLA_CARRIER) == b"\1", bool(flags & _IFF_UP)

    def _new_link(self, what: str, body: bytes) -> None:
        self._ask(what, _RTM_NEWLINK, _NLM_F_CREATE | _NLM_F_EXCL, body)

    def _ask(self, what: str, kind: int, flags: int, body: bytes) -> bytes:
        """Send one request; the fixed part and attributes of its answer, empty for a bare ack."""
        flags |= _NLM_F_REQUEST | (0 if kind == _RTM_GETLINK else _NLM_F_ACK)
        self._socket.send(struct.pack("=IHHII", 16 + len(body), kind, flags, 0, 0) + body)
        answer = self._socket.recv(65536)
        length, answered, _, _, _ = struct.unpack_from("=IHHII", answer)
        if answered != _NLMSG_ERROR:
            return answer[16:length]
        errno = -struct.unpack_from("=i", answer, 16)[0]
        if errno:
            raise OSError(errno, f"{what}: {os.strerror(errno)}")
        return b""


def _interface(index: int = 0, *, up: bool = False, change: int = 0) -> bytes:
    flags = _IFF_UP if up else 0
    return struct.pack("=BBHiII", socket.AF_UNSPEC, 0, 0, index, flags, change or flags)


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + b"\0" * (-len(value) % 4)


def _name(name: str) -> bytes:
    return _attribute(_IFLA_IFNAME, name.encode() + b"\0")


def _find(attributes: bytes, wanted: int) -> bytes | None:
    at = 0
    while at + 4 <= len(attributes):
        length, kind = struct.unpack_from("=HH", attributes, at)
        if kind & 0x3FFF == wanted:
            return attributes[at + 4 : at + length]
        at += length + (-length % 4)
    return None
