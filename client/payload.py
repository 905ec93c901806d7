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

_SMALL = 4096  # messages up to this size are cheaper kept than made anew for each comparison
_PERIOD = 131_071  # a prime, so that no power of two of lost bytes goes unseen
_LETTERS = (string.ascii_letters + string.digits + "+-").encode()
_RANDOM = hashlib.shake_128(b"iolab").digest(_PERIOD).translate(_LETTERS * 4)
_NOISE = _RANDOM + _RANDOM[: SLICE + _SMALL]


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


class Voice:
    """What one connection says by itself: messages unlike any other of any connection.

    A message opens with the connection's name and its own number, so that a stray one tells whose
    it is; noise follows, which starts at a place of its own for each message. Where the name does
    not fit there is noise alone. All of it is ASCII without a newline.
    """

    __slots__ = ("_count", "_name", "_seed")

    def __init__(self, name: str) -> None:
        self._name = name.encode("ascii", "replace")
        self._seed = zlib.crc32(name.encode())
        self._count = 0

    def say(self, size: int, times: int, newline: bool) -> Source:
        """The next `times` messages of `size` bytes before their newline."""
        first = self._count
        self._count += times
        if times == 1 and size <= _SMALL:
            return Constant(self.message(first, size, newline))
        return Pattern(self, first, size, times, newline)

    def message(self, number: int, size: int, newline: bool) -> bytes:
        """A message as a whole."""
        title = b"%b.%d:" % (self._name, number)
        if len(title) > size:
            title = b""
        start = self._start(number, len(title))
        ending = b"\n" if newline else b""
        return title + _NOISE[start : start + size - len(title)] + ending

    def part(self, number: int, size: int, at: int, most: int) -> bytes:
        """Bytes of a message of `size`, from offset `at`, at most `most` of them."""
        title = b"%b.%d:" % (self._name, number)
        if at < len(title) <= size:
            return title[at : at + most]
        start = self._start(number, at)
        return _NOISE[start : start + min(most, size - at)]

    def _start(self, number: int, at: int) -> int:
        return (self._seed + number * 104_729 + at) % _PERIOD


class Pattern(Source):
    """`times` messages of a voice, from its number `first` on; `capitals` for an upper reply."""

    __slots__ = ("_capitals", "_first", "_newline", "_size", "_times", "_voice")

    def __init__(
        self,
        voice: Voice,
        first: int,
        size: int,
        times: int,
        newline: bool,
        capitals: bool = False,
    ) -> None:
        self._voice = voice
        self._first = first
        self._size = size
        self._times = times
        self._newline = newline
        self._capitals = capitals
        self.length = (size + newline) * times

    def slice(self, at: int, size: int) -> bytes:
        parts = []
        left = min(size, self.length - at, SLICE)
        stride = self._size + self._newline
        while left:
            index, offset = divmod(at, stride)
            part = self._part(self._first + index, offset, left)
            parts.append(part)
            at += len(part)
            left -= len(part)
        made = b"".join(parts)
        return made.upper() if self._capitals else made

    def reply(self, kind: Reply) -> Source:
        if kind == "echo":
            return self
        return Pattern(self._voice, self._first, self._size, self._times, self._newline, True)

    def _part(self, number: int, at: int, most: int) -> bytes:
        if at == self._size:
            return b"\n"
        if at == 0 and self._size < min(most, _SMALL):
            return self._voice.message(number, self._size, self._newline)
        return self._voice.part(number, self._size, at, most)
