"""Times at which something is to be called, soonest first."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable
from typing import Any

# Cancelled timers stay in the heap until they come to its top; when they are most of it, it is
# built anew, so that a million short connections do not leave a million timers behind.
_MANY_CANCELLED = 512

# As heapq's documentation has it: the time, a number by which those of the same time keep their
# order, and what is to be called, None once it is not. A list, since each connection makes one: an
# object of a class of its own in a tuple takes twice as long.
Timer = list[Any]


class Timers:
    """A heap of timers, by CLOCK_MONOTONIC."""

    def __init__(self) -> None:
        self._heap: list[Timer] = []
        self._sequence = 0
        self._cancelled = 0

    def call_later(self, delay: float, callback: Callable[[], None]) -> Timer:
        """Call `callback` once, `delay` seconds from now or somewhat later."""
        self._sequence += 1
        timer = [time.monotonic() + delay, self._sequence, callback]
        heapq.heappush(self._heap, timer)
        return timer

    def cancel(self, timer: Timer) -> None:
        """Take back a timer that has not rung."""
        timer[2] = None
        self._cancelled += 1
        if self._cancelled > _MANY_CANCELLED and self._cancelled > len(self._heap) // 2:
            # In place: whoever is going through the heap goes on with this one.
            self._heap[:] = [timer for timer in self._heap if timer[2] is not None]
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
        soonest: float = heap[0][0]
        if soonest > now:
            return soonest - now
        due = []
        while heap and heap[0][0] <= now:
            due.append(heapq.heappop(heap))
        for timer in due:
            callback, timer[2] = timer[2], None
            if callback is None:
                self._cancelled -= 1
            else:
                callback()
        if not heap:
            return None
        soonest = heap[0][0]
        return max(0.0, soonest - time.monotonic())
