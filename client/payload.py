"""What is sent, and what must come back, as functions of an offset.

A source is never held as a whole: any part of it can be made again at any time. That is how the
reply to an endless flood is compared byte for byte without keeping what was sent.
"""

import hashlib
import string
import zlib
from abc import ABC, abstractmethod
from typing import Literal as OneOf

Reply = OneOf["echo", "upper"]

SLICE = 64 * 1024
"""The most bytes that `slice` gives at once: above twice as many, each would be mapped anew."""

_PERIOD = 1_048_573  # a prime, so that no power of two of lost bytes goes unseen
_LETTERS = (string.ascii_letters + string.digits + "+-").encode()
_RANDOM = hashlib.shake_128(b"iolab").digest(_PERIOD).translate(_LETTERS * 4)
_NOISE = _RANDOM + _RANDOM[:SLICE]


class Source(ABC):
    """A run of `length` bytes, known by offset."""

    __slots__ = ("length",)
    length: int

    @abstractmethod
    def slice(self, at: int, size: int) -> bytes:
        """The bytes from offset `at`: at least one, at most `size`, and never beyond the end."""

    @abstractmethod
    def reply(self, kind: Reply) -> "Source":
        """What a right server answers to this source."""


class Constant(Source):
    """The same bytes, `times` over."""

    __slots__ = ("_unit",)

    def __init__(self, unit: bytes, times: int = 1) -> None:
        self._unit = unit
        self.length = len(unit) * times

    def slice(self, at: int, size: int) -> bytes:
        unit = self._unit
        if self.length == len(unit):
            return unit[at : at + size]
        size = min(size, self.length - at, SLICE)
        start = at % len(unit)
        return (unit * ((start + size - 1) // len(unit) + 1))[start : start + size]

    def reply(self, kind: Reply) -> Source:
        if kind == "echo":
            return self
        text = self._unit.decode(errors="surrogateescape").upper()
        unit = text.encode(errors="surrogateescape")
        return Constant(unit, self.length // max(1, len(self._unit)))


class Pattern(Source):
    """`times` messages of `size` bytes, each unlike any other of any connection.

    A message opens with the connection's name and its own number, so that a stray one tells whose
    it is; noise follows, which starts at a place of its own for each message. Where the name does
    not fit there is noise alone. All of it is ASCII without a newline.
    """

    __slots__ = ("_capitals", "_ending", "_first", "_name", "_seed", "_size", "_small")

    def __init__(
        self, name: str, first: int, size: int, times: int, newline: bool, capitals: bool = False
    ) -> None:
        self._name = name
        self._seed = zlib.crc32(name.encode())
        self._first = first
        self._size = size
        self._ending = b"\n" if newline else b""
        self._capitals = capitals
        self.length = (size + len(self._ending)) * times
        self._small: bytes | None = None
        if self.length <= 4096:  # sent and compared: cheaper kept than made twice
            self._small = self._make(0, self.length)

    def slice(self, at: int, size: int) -> bytes:
        if self._small is not None:
            return self._small[at : at + size]
        return self._make(at, min(size, self.length - at, SLICE))

    def reply(self, kind: Reply) -> Source:
        if kind == "echo":
            return self
        stride = self._size + len(self._ending)
        times = self.length // stride if stride else 0
        return Pattern(self._name, self._first, self._size, times, bool(self._ending), True)

    def _make(self, at: int, size: int) -> bytes:
        parts = []
        stride = self._size + len(self._ending)
        while size:
            index, offset = divmod(at, stride)
            part = self._part(self._first + index, offset, size)
            parts.append(part)
            at += len(part)
            size -= len(part)
        made = b"".join(parts)
        return made.upper() if self._capitals else made

    def _part(self, number: int, offset: int, size: int) -> bytes:
        title = f"{self._name}.{number}:".encode("ascii", "replace")
        if len(title) <= self._size and offset < len(title):
            return title[offset : offset + size]
        if offset == self._size:
            return self._ending
        start = (self._seed + number * 104_729 + offset) % _PERIOD
        return _NOISE[start : start + min(size, self._size - offset, SLICE)]
