"""IO multiplexing with epoll(7): the kernel remembers whom we watch.

While it waits, the process sleeps in `epoll_wait`. The list of descriptors is not handed over for
every call: it lives in the kernel, changed by `epoll_ctl`, and every watched socket puts itself on
a ready list when something happens. A call takes what is on that list, so its cost grows with the
number of sockets that speak and not with the number that are silent.

It is used level-triggered, as select and poll are: a socket that was not emptied is on the list
again, so a callback may stop after its share and let others have their turn.
"""

from __future__ import annotations

import select

from ..events import Log
from ..listener import Listener
from ..service import Service
from ..settings import Settings
from ..stop import StopRequest


class EpollPoller:
    """Interest lives in the kernel; READ and WRITE are epoll's own bits."""

    max_fd: int | None = None

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self.register = self._epoll.register
        self.modify = self._epoll.modify
        self.unregister = self._epoll.unregister
        self.wait = self._epoll.poll
        self.close = self._epoll.close


def unavailable() -> str | None:
    return None if hasattr(select, "epoll") else "this kernel has no epoll(7)"


def serve(settings: Settings, listener: Listener, log: Log, stop: StopRequest) -> None:
    Service(settings, listener, log, stop, EpollPoller()).run()
