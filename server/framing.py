"""Bytes to messages: where one message ends and the next begins.

TCP keeps bytes and their order, not the boundaries of what was sent (RFC 9293, section 3.7): a
message may arrive in pieces, or many in one. Framing gives back *blocks*: all whole messages that
a piece completes, still joined, so that a thousand lines in one segment cost one step and one
answer instead of a thousand.
"""

from __future__ import annotations

from typing import Protocol

Block = bytes | bytearray


class Framing(Protocol):
    """What the connection asks of a framing. One object serves one direction of one connection."""

    messages: int
    """How many whole messages have come out."""

    oversize: bool
    """The message after the last block is longer than allowed; nothing more will come out."""

    @property
    def partial(self) -> Block:
        """The bytes held back so far of a message that is not whole yet."""

    def feed(self, data: bytes) -> Block:
        """Take the next bytes and give all messages that are whole by now, or nothing."""

    def split(self, block: Block) -> list[bytes]:
        """The messages of a block one by one, without their ends."""

    def valid_text(self, block: Block) -> int:
        """Bytes of a block before the first message that is not UTF-8."""


class LineFraming:
    """A message is everything up to a newline.

    `max_message` counts the bytes before the newline: exactly so many are allowed, one more is
    oversize, and known to be so before the newline comes.
    """

    __slots__ = ("_max_message", "_partial", "messages", "oversize")

    def __init__(self, max_message: int) -> None:
        self._max_message = max_message
        self._partial: bytearray | None = None  # most connections never hold half a message
        self.messages = 0
        self.oversize = False

    @property
    def partial(self) -> Block:
        return self._partial or b""

    def feed(self, data: bytes) -> Block:
        # Nearly always a piece is one message, and to find its end is all that is to be done.
        last = len(data) - 1
        if self._partial is None and data.find(b"\n") == last <= self._max_message:
            self.messages += 1
            return data
        block = self._assemble(data)
        self.messages += block.count(b"\n")
        return block

    def _assemble(self, data: bytes) -> Block:
        partial = bytearray() if self._partial is None else self._partial
        end = data.rfind(b"\n") + 1
        if not end:
            partial += data
            return self._hold(partial, b"")
        block = data[:end]
        if partial:
            partial += block
            whole: Block = partial
        else:
            whole = block
        if len(whole) > self._max_message + 1:
            allowed = self._allowed(whole)
            if allowed < len(whole):
                self.oversize = True
                self._partial = None
                return whole[:allowed]
        return self._hold(bytearray(data[end:]), whole)

    def _hold(self, partial: bytearray, block: Block) -> Block:
        self.oversize = len(partial) > self._max_message
        self._partial = partial if partial and not self.oversize else None
        return block

    def _allowed(self, whole: Block) -> int:
        """Bytes of `whole` before the first message that is too long."""
        start = 0
        while start < len(whole):
            end = whole.find(b"\n", start)
            if end - start > self._max_message:
                break
            start = end + 1
        return start

    def split(self, block: Block) -> list[bytes]:
        return bytes(block).removesuffix(b"\n").split(b"\n")

    def valid_text(self, block: Block) -> int:
        try:
            block.decode()
        except UnicodeDecodeError as error:
            return block.rfind(b"\n", 0, error.start) + 1
        return len(block)


class RawFraming:
    """Each piece received is a message, as in the simplest socket examples.

    Where TCP cut a UTF-8 character in two, its first bytes wait for the rest, so that whoever
    reads the message as text never sees half a character. Pieces have no largest size but that of
    the receive buffer: nothing is ever oversize.
    """

    __slots__ = ("_tail", "messages", "oversize")

    def __init__(self) -> None:
        self._tail = b""
        self.messages = 0
        self.oversize = False

    @property
    def partial(self) -> Block:
        return self._tail

    def feed(self, data: bytes) -> Block:
        data = self._tail + data
        end = len(data) - unfinished_character(data)
        self._tail = data[end:]
        self.messages += end > 0
        return data[:end]

    def split(self, block: Block) -> list[bytes]:
        return [bytes(block)]

    def valid_text(self, block: Block) -> int:
        try:
            block.decode()
        except UnicodeDecodeError:
            return 0
        return len(block)


def unfinished_character(data: bytes) -> int:
    """Bytes at the end of `data` that begin a UTF-8 character and do not finish it: 0 to 3.

    The first byte of a character says how long it is (RFC 3629, section 3).
    """
    for length in range(1, min(3, len(data)) + 1):
        byte = data[-length]
        if byte >= 0xC0:
            needed = 4 if byte >= 0xF0 else 3 if byte >= 0xE0 else 2
            return length if byte < 0xF8 and length < needed else 0
        if byte < 0x80:
            return 0
    return 0
