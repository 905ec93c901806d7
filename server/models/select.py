"""IO multiplexing with select(2): one call that sleeps on many sockets at once.

While it waits, the process sleeps in `select`, and the kernel holds a place in the wait queue of
every watched socket. Each call hands over the whole list of descriptors as a bit map, the kernel
asks each socket in turn, and when one is ready it takes all the places back: the work grows with
the number of connections, even if only one of them speaks. The bit map has FD_SETSIZE bits, 1024,
and a descriptor with a larger number does not fit, however few there are.
"""

from __future__ import annotations

import select

from ..events import Log
from ..listener import Listener
from ..service import Service
from ..settings import Settings
from ..stop import StopRequest
from .base import READ, WRITE


class SelectPoller:
    """Two lists of descriptors, rebuilt when interest has changed and not for every call."""

    max_fd: int | None = 1024

    def __init__(self) -> None:
        self._interest: dict[int, int] = {}
        self._readers: list[int] | None = []
        self._writers: list[int] = []

    def register(self, fd: int, interest: int) -> None:
        self._interest[fd] = interest
        self._readers = None

    modify = register

    def unregister(self, fd: int) -> None:
        del self._interest[fd]
        self._readers = None

    def wait(self, timeout: float | None) -> list[tuple[int, int]]:
        if self._readers is None:
            self._readers = [fd for fd, interest in self._interest.items() if interest & READ]
            self._writers = [fd for fd, interest in self._interest.items() if interest & WRITE]
        readable, writable, _ = select.select(self._readers, self._writers, (), timeout)
        ready = [(fd, READ) for fd in readable]
        if writable:
            ready += [(fd, WRITE) for fd in writable]
        return ready

    def close(self) -> None:
        self._interest.clear()


def unavailable() -> str | None:
    return None


def serve(settings: Settings, listener: Listener, log: Log, stop: StopRequest) -> None:
    Service(settings, listener, log, stop, SelectPoller()).run()
