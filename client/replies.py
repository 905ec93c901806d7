"""The replies that a connection is owed, compared with what comes. No input or output here."""

from collections import deque

from client.failure import Failure, escaped
from client.payload import Constant, Source

UNASKED = 64 * 1024
"""So many bytes that nobody asked for are kept for a later `expect`; more is a failure at once."""

_BEFORE, _AROUND = 16, 64


class _Debt:
    __slots__ = ("at", "end", "optional", "source")

    def __init__(self, source: Source, at: int, optional: bool = False) -> None:
        self.source = source
        self.optional = optional
        self.at = at
        self.end = source.length


class Replies:
    """What one connection is owed, in order.

    `owed` counts the bytes that must come in all, `matched` those that came and were right,
    `complete` the newlines among them. `said` holds what came when nothing was owed; where that is
    `welcome`, no more than UNASKED bytes of it are kept.
    """

    __slots__ = ("_debts", "complete", "matched", "owed", "said", "welcome")

    def __init__(self) -> None:
        self._debts: deque[_Debt] = deque()
        self.owed = 0
        self.matched = 0
        self.complete = 0
        self.said = bytearray()
        self.welcome = False

    def owe(self, source: Source, at: int = 0) -> None:
        """From now on `source`, from offset `at`, must come next."""
        if at < source.length:
            self._debts.append(_Debt(source, at))
            self.owed += source.length - at

    def owe_perhaps(self, byte: bytes) -> None:
        """This byte may come next, or not.

        So urgent data is answered: a server that does not read it in line never sees it.
        """
        self._debts.append(_Debt(Constant(byte), 0, optional=True))

    def forgive(self, size: int) -> None:
        """The last `size` bytes owed were never sent."""
        self.owed -= size
        while size:
            debt = self._debts[-1]
            cut = min(size, debt.end - debt.at)
            debt.end -= cut
            size -= cut
            if debt.at == debt.end:
                self._debts.pop()

    def take(self, data: bytes) -> Failure | None:
        """Compare what has come; the failure if it is not what was owed."""
        at, size = 0, len(data)
        while at < size:
            if not self._debts:
                return self._unasked(data[at:])
            debt = self._debts[0]
            want = debt.source.slice(debt.at, min(size - at, debt.end - debt.at))
            end = at + len(want)
            came = data[at:end]
            if came != want:
                if debt.optional:
                    self._debts.popleft()
                    continue
                return self._mismatch(debt, data, at, want)
            if debt.optional:
                self.owed += 1
            debt.at += len(want)
            if debt.at == debt.end:
                self._debts.popleft()
            self.matched += len(want)
            self.complete += came.count(b"\n")
            at = end
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

    def _mismatch(self, debt: _Debt, data: bytes, start: int, want: bytes) -> Failure:
        came = data[start : start + len(want)]
        differs = next((i for i, (a, b) in enumerate(zip(want, came, strict=False)) if a != b), 0)
        at = start + differs
        origin = debt.at + differs
        lead = min(_BEFORE, at, origin)
        expected = escaped(debt.source.slice(origin - lead, _AROUND))
        got = escaped(data[at - lead : at - lead + _AROUND])
        offset = self.matched + differs
        detail = f"the reply differs at byte {offset}: expected {expected!r}, got {got!r}"
        return Failure("mismatch", detail, at=offset, expected=expected, got=got)
