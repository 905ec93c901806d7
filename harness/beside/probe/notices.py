"""The kernel's notice that a TCP socket of the network namespace died, as the event `destroyed`.

sock_diag(7)'s multicast groups `SKNLGRP_INET_TCP_DESTROY` and `SKNLGRP_INET6_TCP_DESTROY` send one
when the last reference to a socket goes: the process has closed it, and no protocol is left to be
done (or TIME-WAIT has taken its place). It carries the addresses and the last `tcp_info`. A socket
that was reset but is still open has not died, and nothing is said of it.
"""

from __future__ import annotations

import errno
from collections.abc import Callable

from iolab.harness.beside.loop import READ, Loop
from iolab.harness.beside.ops import Emit
from iolab.harness.beside.probe.netlink import NETLINK_SOCK_DIAG, Netlink
from iolab.harness.beside.probe.sockets import Row, parse

_GROUPS = (1, 3)  # SKNLGRP_INET_TCP_DESTROY, SKNLGRP_INET6_TCP_DESTROY


class Notices:
    """Hears of dead sockets. OSError at the start when the kernel refuses the groups."""

    def __init__(
        self,
        loop: Loop,
        emit: Emit,
        concerns: Callable[[Row], bool],
        on_death: Callable[[], None],
    ) -> None:
        """`concerns` picks whose death is told; `on_death` is called once for all that wait."""
        self._emit = emit
        self._concerns = concerns
        self._on_death = on_death
        self._netlink = Netlink(NETLINK_SOCK_DIAG, _GROUPS)
        loop.register(self._netlink.fileno(), READ, self._read)

    def _read(self, ready: int) -> None:
        died = False
        try:
            for body in self._netlink.notices():
                row = parse(body)
                if self._concerns(row):
                    died = True
                    self._tell(row)
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise
            died = True
            self._emit({"event": "destroyed-lost", "reason": "ENOBUFS: more died than were read"})
        if died:
            self._on_death()

    def _tell(self, row: Row) -> None:
        info = row.info
        self._emit(
            {
                "event": "destroyed",
                "local": row.local,
                "peer": row.peer,
                "state": row.state,
                "info": info._asdict() if info else None,
            }
        )
