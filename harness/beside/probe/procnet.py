"""TCP sockets from `/proc/net/tcp` and `tcp6`, for a kernel that refuses sock_diag(7).

It knows less: no `TCP_INFO`, no size of the accept queue, and no cookie, so that a socket is told
from another by its inode, or by its addresses where it has none. A snapshot says where its rows
came from (`source`).
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Container, Iterator

from iolab.harness.beside.probe import processes
from iolab.harness.beside.probe.sockets import STATES, TIMERS, InetDiag, Row, addresses
from iolab.harness.beside.probe.view import Table

_FILES = (("/proc/self/net/tcp", socket.AF_INET), ("/proc/self/net/tcp6", socket.AF_INET6))


class ProcNet:
    """The socket table as text; `reason` is why the better one is not to be had."""

    def __init__(self, reason: str) -> None:
        self.source = f"/proc/net/tcp (inet_diag: {reason})"

    def rows(self, port: int | None = None, *, info: bool = False) -> list[Row]:
        """The sockets of one local port, or all but those in TIME-WAIT; never with `info`."""
        return [
            row
            for row in _every_row()
            if (row.local[1] == port if port else row.state != "TIME-WAIT")
        ]

    def held(self, inodes: Container[int], port: int | None = None) -> list[Row]:
        """The sockets with these inodes and those on the local port."""
        return [row for row in _every_row() if row.inode in inodes or row.local[1] == port]


def open_table() -> Table:
    """The best table that this kernel gives."""
    try:
        table = InetDiag()
        table.rows(port=1)
    except OSError as refusal:
        return ProcNet(str(refusal))
    return table


def _every_row() -> Iterator[Row]:
    for path, family in _FILES:
        if not os.path.exists(path):  # no IPv6 in this kernel
            continue
        for line in processes.read(path).decode().splitlines()[1:]:
            yield _row(family, line)


def _row(family: int, line: str) -> Row:
    # proc(5): sl local remote st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout inode …
    _, local, peer, state, queues, timer, retransmits, uid, _, inode = line.split()[:10]
    local_ip, _, local_port = local.partition(":")
    peer_ip, _, peer_port = peer.partition(":")
    shown, here, there = addresses(family, _raw(local_ip), _raw(peer_ip))
    unsent, _, unread = queues.partition(":")
    kind, _, when = timer.partition(":")
    name = STATES[int(state, 16)]
    mine, theirs = (here, int(local_port, 16)), (there, int(peer_port, 16))
    expires_s = int(when, 16) / os.sysconf("SC_CLK_TCK")
    return Row(
        family=shown,
        state=name,
        local=mine,
        peer=theirs,
        inode=int(inode),
        recv_q=int(unread, 16),
        send_q=None if name == "LISTEN" else int(unsent, 16),
        uid=int(uid),
        timer=(TIMERS[int(kind, 16)], expires_s) if int(kind, 16) in TIMERS else None,
        retransmits=int(retransmits, 16),
        cookie=int(inode) or hash((mine, theirs)),
    )


def _raw(text: str) -> bytes:
    """An address in network order: the file prints it as 32-bit numbers of the host."""
    raw = bytes.fromhex(text)
    if sys.byteorder == "big":
        return raw
    return b"".join(raw[at : at + 4][::-1] for at in range(0, len(raw), 4))
