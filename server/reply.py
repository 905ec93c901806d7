"""Messages to replies, pure: a block of whole messages in, the bytes that answer it out."""

from __future__ import annotations

from collections.abc import Callable

from .framing import Block

Reply = Callable[[Block], Block]


def echo(block: Block) -> Block:
    """The same bytes: what the echo service of RFC 862 does."""
    return block


def upper(block: Block) -> Block:
    """The same text in capitals. Bytes that are not UTF-8 pass as they are (PEP 383)."""
    return block.decode("utf-8", "surrogateescape").upper().encode("utf-8", "surrogateescape")


REPLIES: dict[str, Reply | None] = {
    "echo": echo,
    "upper": upper,
    "operator": None,  # nobody answers yet: the connection keeps count of what it owes
}
