"""IO multiplexing with poll(2): select without the ceiling.

While it waits, the process sleeps in `poll`. Instead of a bit map it hands over an array of
(descriptor, events), so any descriptor fits, and as many as RLIMIT_NOFILE allows: a longer array is
refused (poll(2), EINVAL). But the array is still handed over whole for every call, and the kernel
still asks every socket in turn.

When nothing is ready the kernel walks the array twice for one answer: once to ask and to take a
place in every wait queue, and after the wake-up once more to ask and to give the places back. A
call with a timeout of 0 takes no places. A busy server mostly finds something ready, so it asks
that way first and goes to sleep only when the answer was nothing.
"""

from __future__ import annotations

import math
import select

from ..events import Log
from ..listener import Listener
from ..service import Service
from ..settings import Settings
from ..stop import StopRequest


class PollPoller:
    """The array lives in a `select.poll` object; READ and WRITE are its own bits."""

    max_fd: int | None = None

    def __init__(self) -> None:
        self._poll = select.poll()
        self.register = self._poll.register
        self.modify = self._poll.modify
        self.unregister = self._poll.unregister

    def wait(self, timeout: float | None) -> list[tuple[int, int]]:
        ready = self._poll.poll(0)
        if ready or timeout == 0:
            return ready
        return self._poll.poll(None if timeout is None else math.ceil(timeout * 1000))

    def close(self) -> None:
        """Nothing is held in the kernel between two calls."""


def unavailable() -> str | None:
    return None


def serve(settings: Settings, listener: Listener, log: Log, stop: StopRequest) -> None:
    Service(settings, listener, log, stop, PollPoller()).run()
