"""Until when something must have happened, and in words what that rests on."""

from __future__ import annotations

from dataclasses import dataclass

# What the kernel tells at once (a FIN, a reset) a server can act on at once: one second is a
# hundred scheduler rounds on a busy machine, and below every idle timeout that a server promises.
AT_ONCE_S = 1.0

# A promised time is when the subject acts; the packets, the scheduler and the probe come on top.
LEEWAY_S = 1.0

# The promised times, as reports say them.
WORDS = {
    "idle_timeout_s": "idle timeout",
    "detect_vanished_s": "detection of vanished peers",
    "message_deadline_s": "message deadline",
    "graceful_stop_s": "grace time",
}


@dataclass(frozen=True)
class Bound:
    """`seconds` from now, and the leeway that comes on top."""

    seconds: float
    words: str
    leeway_s: float = LEEWAY_S

    @property
    def within_s(self) -> float:
        return self.seconds + self.leeway_s


AT_ONCE = Bound(AT_ONCE_S, "at once", leeway_s=0.0)
