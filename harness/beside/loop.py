"""The probe's event loop: ready descriptors and timers, one callback each, in one thread.

It knows neither the subject nor the requests. The probe and the wire register what they wait for;
`Loop.run` waits and calls back. A callback must not block: everything else of the probe waits
meanwhile, and the lateness watch (`lateness.py`) will tell on it. An exception that leaves a
callback leaves `run` as well, so that a broken probe ends loudly instead of answering half-truths.
"""

from __future__ import annotations

import heapq
import itertools
import selectors
import time
from collections.abc import Callable
from typing import cast

READ = selectors.EVENT_READ
WRITE = selectors.EVENT_WRITE


class Timer:
    """A callback that is due at `due` (`CLOCK_MONOTONIC` seconds). Made by `Loop.call_later`."""

    __slots__ = ("callback", "cancelled", "due")

    def __init__(self, due: float, callback: Callable[[], None]) -> None:
        self.due = due
        self.callback = callback
        self.cancelled = False


class Loop:
    """Waits for descriptors and timers and calls back, until stopped."""

    def __init__(self) -> None:
        # poll(2) and not epoll(7): the probe waits for a dozen descriptors, and standard input may
        # be a file, which epoll refuses.
        self._selector = selectors.PollSelector()
        self._timers: list[tuple[float, int, Timer]] = []
        self._order = (
            itertools.count()
        )  # timers that are due together run in the order of their making
        self._running = False

    def register(self, fd: int, mask: int, callback: Callable[[int], None]) -> None:
        """Call `callback(ready)` whenever `fd` is ready for what `mask` asks (READ, WRITE or both).

        Level-triggered; errors and hang-ups count as ready. Registering again replaces mask and
        callback.
        """
        if fd in self._selector.get_map():
            self._selector.modify(fd, mask, callback)
        else:
            self._selector.register(fd, mask, callback)

    def unregister(self, fd: int) -> None:
        """Forget `fd`, to be said before it is closed. KeyError if it was not registered."""
        self._selector.unregister(fd)

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> Timer:
        """Call `callback()` once, `delay_s` seconds from now at the earliest."""
        timer = Timer(time.monotonic() + delay_s, callback)
        heapq.heappush(self._timers, (timer.due, next(self._order), timer))
        return timer

    def cancel(self, timer: Timer) -> None:
        """Do not run the timer any more. One that has run or was cancelled before is no error."""
        timer.cancelled = True

    def stop(self) -> None:
        """Let `run` return once the callbacks that are due now have been called."""
        self._running = False

    def run(self) -> None:
        """Wait and call back until `stop`."""
        self._running = True
        while self._running:
            for key, ready in self._selector.select(self._timeout()):
                # An earlier callback of this round may have let go of this descriptor.
                if self._selector.get_map().get(key.fd) is key:
                    cast(Callable[[int], None], key.data)(ready)
            self._run_due()

    def close(self) -> None:
        """Let go of the selector. The descriptors stay their owners'."""
        self._selector.close()

    def _timeout(self) -> float | None:
        while self._timers and self._timers[0][2].cancelled:
            heapq.heappop(self._timers)
        return max(0.0, self._timers[0][0] - time.monotonic()) if self._timers else None

    def _run_due(self) -> None:
        # Timers set by these callbacks wait for the next round: a timer of delay zero cannot keep
        # descriptors from being looked at.
        now = time.monotonic()
        due: list[Timer] = []
        while self._timers and self._timers[0][0] <= now:
            due.append(heapq.heappop(self._timers)[2])
        for timer in due:
            if not timer.cancelled:
                timer.callback()
