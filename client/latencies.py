"""How long replies took."""

from array import array


class Latencies:
    """The last `most` pairs of when was asked and how many seconds the reply took.

    They lie side by side in one array: thousands of pairs as objects of their own would cost each
    message more in cache misses than all the rest of its bookkeeping.
    """

    __slots__ = ("_most", "_pairs")

    def __init__(self, most: int) -> None:
        self._most = most
        self._pairs = array("d")

    def add(self, asked_at: float, took: float) -> None:
        """Keep one more pair."""
        pairs = self._pairs
        pairs.append(asked_at)
        pairs.append(took)
        if len(pairs) >= 4 * self._most:
            del pairs[: 2 * self._most]

    @property
    def last(self) -> float | None:
        """How long the last reply took, if there was one."""
        return self._pairs[-1] if self._pairs else None

    def pairs(self) -> list[list[float]]:
        """The pairs, oldest first, to the microsecond."""
        kept = self._pairs[-2 * self._most :]
        return [[round(kept[i], 6), round(kept[i + 1], 6)] for i in range(0, len(kept), 2)]
