"""Times at which something is to be called, soonest first."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable

# Cancelled timers stay in the heap until they come to its top; when they are most of it, it is
# built anew, so that a million short connections do not leave a million timers behind.
_MANY_CANCELLED = 512


class Timer:
    """A callback at a time, which can be cancelled until then."""

    __slots__ = ("callback",)

    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback


class Timers:
    """A heap of timers, by CLOCK_MONOTONIC."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Timer]] = []
        self._sequence = 0
        self._cancelled = 0

    def call_later(self, delay: float, callback: Callable[[], None]) -> Timer:
        """Call `callback` once, `delay` seconds from now or somewhat later."""
        timer = Timer(callback)
        self._sequence += 1
        heapq.heappush(self._heap, (time.monotonic() + delay, self._sequence, timer))
        return timer

    def cancel(self, timer: Timer) -> None:
        """Take back a timer that has not rung."""
        timer.callback = None
        self._cancelled += 1
        if self._cancelled > _MANY_CANCELLED and self._cancelled > len(self._heap) // 2:
            # In place: whoever is going through the heap goes on with this one.
            self._heap[:] = [entry for entry in self._heap if entry[2].callback is not None]
            heapq.heapify(self._heap)
            self._cancelled = 0

    def ring(self) -> float | None:
        """Call what is due; gives the seconds until the next is, None if none is set.

        Those that callbacks add wait for the next round, or a timer of no delay would spin here.
        """
        heap = self._heap
        if not heap:
            return None
        now = time.monotonic()
        if heap[0][0] > now:
            return heap[0][0] - now
        due = []
        while heap and heap[0][0] <= now:
            due.append(heapq.heappop(heap)[2])
        for timer in due:
            if timer.callback is None:
                self._cancelled -= 1
            else:
                callback, timer.callback = timer.callback, None
                callback()
        if not heap:
            return None
        return max(0.0, heap[0][0] - time.monotonic())
