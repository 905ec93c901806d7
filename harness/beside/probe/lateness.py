"""Was the probe itself late? A verdict may not blame the subject for what a starved witness missed.

A timer is due every 20 ms. When it runs late, the loop was held up for at least that long, either
by a callback or because the machine gave it no CPU; both make everything else that it saw late too.
"""

from __future__ import annotations

import time

from iolab.harness.beside.loop import Loop
from iolab.harness.beside.ops import Emit

BEAT_S = 0.020
TELL_S = 0.050
"""Above this lateness an event is sent at once, besides the figure in the next answer."""


class Lateness:
    """Watches one loop. `take` gives the worst lateness since it was last taken."""

    def __init__(self, loop: Loop, emit: Emit) -> None:
        self._loop = loop
        self._emit = emit
        self._worst = 0.0
        self._due = 0.0
        self._next_beat()

    def take(self) -> float:
        """Seconds, 0.0 when the loop was in time; the beat that is overdue now is counted."""
        worst = max(self._worst, time.monotonic() - self._due)
        self._worst = 0.0
        return round(max(worst, 0.0), 6)

    def _next_beat(self) -> None:
        self._due = time.monotonic() + BEAT_S
        self._loop.call_later(BEAT_S, self._beat)

    def _beat(self) -> None:
        late_s = time.monotonic() - self._due
        self._worst = max(self._worst, late_s)
        self._next_beat()
        if late_s > TELL_S:
            self._emit({"event": "late", "late_s": round(late_s, 6)})
