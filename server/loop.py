"""The event loop: it waits in a poller, takes what happened, and calls what was registered for it.

The poller only reports; all calling is done here, in order, one callback at a time. That is the
whole of event-driven programming: nobody waits for anybody, because every callback returns at
once. A callback must take its event as a hint and find out by the system call itself: an earlier
callback of the same round may have closed the descriptor, and the number may already belong to
another connection.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable

from server.models.base import Poller

Callback = Callable[[int], None]

# Cancelled timers stay in the heap until they come to its top; when they are most of it, it is
# built anew, so that a million short connections do not leave a million timers behind.
_MANY_CANCELLED = 512


class Timer:
    """A callback at a time, which can be cancelled until then."""

    __slots__ = ("callback",)

    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback


class Loop:
    """Callbacks for descriptors and times, over one poller."""

    def __init__(self, poller: Poller) -> None:
        self.poller = poller
        self._callbacks: dict[int, Callback] = {}
        self._timers: list[tuple[float, int, Timer]] = []
        self._sequence = 0
        self._cancelled = 0
        self._running = False

    def register(self, fd: int, interest: int, callback: Callback) -> None:
        """Call `callback` with what happens on `fd`, of the events in the mask `interest`."""
        self.poller.register(fd, interest)
        self._callbacks[fd] = callback

    def modify(self, fd: int, interest: int) -> None:
        """Change the events that `fd` is watched for; 0 is none."""
        self.poller.modify(fd, interest)

    def unregister(self, fd: int) -> None:
        """Forget `fd`. To be called before it is closed."""
        self.poller.unregister(fd)
        del self._callbacks[fd]

    def call_later(self, delay: float, callback: Callable[[], None]) -> Timer:
        """Call `callback` once, `delay` seconds from now or somewhat later."""
        timer = Timer(callback)
        self._sequence += 1
        heapq.heappush(self._timers, (time.monotonic() + delay, self._sequence, timer))
        return timer

    def cancel(self, timer: Timer) -> None:
        """Take back a timer that has not rung."""
        timer.callback = None
        self._cancelled += 1
        if self._cancelled > _MANY_CANCELLED and self._cancelled > len(self._timers) // 2:
            self._timers = [entry for entry in self._timers if entry[2].callback is not None]
            heapq.heapify(self._timers)
            self._cancelled = 0

    def stop(self) -> None:
        """Let `run` return after the round that is going on."""
        self._running = False

    def run(self) -> None:
        """Wait and call, until `stop`."""
        self._running = True
        wait = self.poller.wait
        callbacks = self._callbacks
        timeout = self._ring()
        while self._running:
            for fd, mask in wait(timeout):
                callback = callbacks.get(fd)
                if callback is not None:
                    callback(mask)
            timeout = self._ring() if self._timers else None

    def _ring(self) -> float | None:
        """Call the timers that are due; gives the seconds until the next is, None if none is set.

        Those that callbacks add wait for the next round, or a timer of no delay would spin here.
        """
        now = time.monotonic()
        timers = self._timers
        if timers and timers[0][0] <= now:
            due = []
            while timers and timers[0][0] <= now:
                due.append(heapq.heappop(timers)[2])
            for timer in due:
                if timer.callback is None:
                    self._cancelled -= 1
                else:
                    callback, timer.callback = timer.callback, None
                    callback()
            timers, now = self._timers, time.monotonic()
        if not timers:
            return None
        delay = timers[0][0] - now
        return delay if delay > 0 else 0.0
