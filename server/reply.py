"""Messages to replies, pure: a block of whole messages in, the bytes that answer it out."""

from __future__ import annotations

from collections.abc import Callable

from .framing import Block

Reply = Callable[[Block], Block]

COMPUTED = 1_000_000
"""Rounds of SHA-256 for each block: about a quarter of a second of a processor's time."""


def echo(block: Block) -> Block:
    """The same bytes: what the echo service of RFC 862 does."""
    return block


def upper(block: Block) -> Block:
    """The same text in capitals. Bytes that are not UTF-8 pass as they are (PEP 383)."""
    return block.decode("utf-8", "surrogateescape").upper().encode("utf-8", "surrogateescape")


def compute(block: Block) -> Block:
    """The same bytes, after computing as for a password's hash: a server that has work to do."""
    from hashlib import pbkdf2_hmac  # OpenSSL takes megabytes, so only who computes loads it

    pbkdf2_hmac("sha256", block, b"", COMPUTED)
    return block


REPLIES: dict[str, Reply | None] = {
    "echo": echo,
    "upper": upper,
    "compute": compute,
    "operator": None,  # nobody answers yet: the connection keeps count of what it owes
}
