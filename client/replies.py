"""The replies that a connection is owed, compared with what comes. No input or output here."""

from collections import deque

from .failure import Failure, escaped
from .payload import Constant, Source

UNASKED = 64 * 1024
"""So many bytes that nobody asked for are kept for a later `expect`; more is a failure at once."""

_BEFORE, _AROUND = 16, 64


_Debt = tuple[Source, int, int, bool]


class Replies:
    """What one connection is owed, in order.

    `owed` counts the bytes that must come in all, `matched` those that came and were right,
    `complete` the newlines among them. `said` holds what came when nothing was owed; where that is
    `welcome`, no more than UNASKED bytes of it are kept.

    A debt is a source, where in it the next byte is, where it ends, and whether it is optional. The
    one that is due lies open in the attributes: most of the time there is no other.
    """

    __slots__ = (
        "_at",
        "_end",
        "_later",
        "_optional",
        "_source",
        "complete",
        "matched",
        "owed",
        "said",
        "welcome",
    )

    def __init__(self) -> None:
        self._source: Source | None = None
        self._at = 0
        self._end = 0
        self._optional = False
        self._later: deque[_Debt] | None = None
        self.owed = 0
        self.matched = 0
        self.complete = 0
        self.said = bytearray()
        self.welcome = False

    def owe(self, source: Source, at: int = 0) -> None:
        """From now on `source`, from offset `at`, must come next."""
        end = source.length
        if at >= end:
            return
        self.owed += end - at
        if self._source is None:
            self._source = source
            self._at = at
            self._end = end
        else:
            self._queue((source, at, end, False))

    def owe_perhaps(self, byte: bytes) -> None:
        """This byte may come next, or not.

        So urgent data is answered: a server that does not read it in line never sees it.
        """
        self._queue((Constant(byte), 0, 1, True))
        if self._source is None:
            self._next()

    def forgive(self, size: int) -> None:
        """The last `size` bytes owed were never sent."""
        self.owed -= size
        while size and self._later:
            source, at, end, optional = self._later.pop()
            cut = min(size, end - at)
            size -= cut
            if at < end - cut:
                self._later.append((source, at, end - cut, optional))
        self._end -= size
        if self._at == self._end:
            self._next()

    def take(self, data: bytes) -> Failure | None:
        """Compare what has come; the failure if it is not what was owed."""
        size = len(data)
        source = self._source
        # Nearly always it is the rest of what is due, right, and no more.
        if (
            source is not None
            and not self._optional
            and self._at + size == self._end
            and source.slice(self._at, size) == data
        ):
            self.matched += size
            self.complete += data.count(b"\n")
            self._next()
            return None
        at = 0
        while at < size:
            source = self._source
            if source is None:
                return self._unasked(data[at:])
            want = source.slice(self._at, min(size - at, self._end - self._at))
            came = data[at : at + len(want)]
            if came != want:
                if self._optional:
                    self._next()
                    continue
                return self._mismatch(source, data, at, want)
            length = len(want)
            at += length
            self.matched += length
            self.complete += came.count(b"\n")
            self._at += length
            if self._optional:
                self.owed += 1
                self._next()
            elif self._at == self._end:
                if self._later:
                    self._next()
                else:
                    self._source = None
        return None

    def missing(self) -> str:
        """What is still owed, in words."""
        return f"{self.matched} of {self.owed} bytes came, {self.complete} whole replies"

    def surplus(self) -> Failure:
        """The failure that `said` means when nobody asked for it."""
        shown = escaped(bytes(self.said[:_AROUND]))
        detail = f"{len(self.said)} bytes came that nobody asked for: {shown}"
        return Failure("surplus", detail, at=self.matched, expected="", got=shown)

    def _unasked(self, rest: bytes) -> Failure | None:
        self.said += rest
        if len(self.said) > UNASKED:
            if not self.welcome:
                return self.surplus()
            del self.said[UNASKED:]
        return None

    def _queue(self, debt: _Debt) -> None:
        if self._later is None:
            self._later = deque()
        self._later.append(debt)

    def _next(self) -> None:
        if self._later:
            self._source, self._at, self._end, self._optional = self._later.popleft()
        else:
            self._source = None
            self._optional = False

    def _mismatch(self, source: Source, data: bytes, start: int, want: bytes) -> Failure:
        came = data[start : start + len(want)]
        differs = next((i for i, (a, b) in enumerate(zip(want, came, strict=False)) if a != b), 0)
        at = start + differs
        origin = self._at + differs
        lead = min(_BEFORE, at, origin)
        expected = escaped(source.slice(origin - lead, _AROUND))
        got = escaped(data[at - lead : at - lead + _AROUND])
        offset = self.matched + differs
        detail = f"the reply differs at byte {offset}: expected {expected!r}, got {got!r}"
        return Failure("mismatch", detail, at=offset, expected=expected, got=got)
