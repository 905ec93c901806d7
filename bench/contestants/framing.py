"""Line framing as every contestant has it: whole lines are answered, a piece of one waits.

In bulk, as the servers of this project do it: it is the fastest that Python offers, so that a
contestant is measured by how it waits and not by how it splits.
"""

from __future__ import annotations


class Lines:
    """The lines of one connection. There is no limit on their length: less work than ours do."""

    __slots__ = ("_partial",)

    def __init__(self) -> None:
        self._partial = b""

    def feed(self, data: bytes) -> bytes:
        """All lines that are whole by now, with their newlines, or nothing."""
        if self._partial:
            data = self._partial + data
        end = data.rfind(b"\n") + 1
        if end == len(data):
            self._partial = b""
            return data
        self._partial = data[end:]
        return data[:end]
