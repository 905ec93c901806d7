"""Non-blocking IO: every socket is asked, again and again.

While it waits, the process does not wait. A call on a socket that has nothing comes back at once
with EAGAIN, "not yet", so one thread can look after many sockets: it asks the first, the second,
the third, and begins anew. Whoever speaks is heard within one round. The price is a processor
that is busy all the time with asking, and every answer but a few is "not yet".
"""

from __future__ import annotations

from ..events import Log
from ..listener import Listener
from ..service import Service
from ..settings import Settings
from ..stop import StopRequest


class NonBlockingPoller:
    """Reports every descriptor that anybody is interested in: the callback asks it."""

    max_fd: int | None = None

    def __init__(self) -> None:
        self._interest: dict[int, int] = {}

    def register(self, fd: int, interest: int) -> None:
        self._interest[fd] = interest

    modify = register

    def unregister(self, fd: int) -> None:
        del self._interest[fd]

    def wait(self, timeout: float | None) -> list[tuple[int, int]]:
        return [(fd, interest) for fd, interest in self._interest.items() if interest]

    def close(self) -> None:
        self._interest.clear()


def unavailable() -> str | None:
    return None


def serve(settings: Settings, listener: Listener, log: Log, stop: StopRequest) -> None:
    Service(settings, listener, log, stop, NonBlockingPoller()).run()
