"""What can go wrong on a connection, by name; the one place that knows the system's errors."""

import errno
import os
from dataclasses import dataclass

_KINDS = {
    errno.ECONNREFUSED: "refused",
    errno.ECONNRESET: "reset",
    errno.EPIPE: "broken-pipe",
    errno.ETIMEDOUT: "timed-out",
    errno.EHOSTUNREACH: "unreachable",
    errno.ENETUNREACH: "unreachable",
    errno.EHOSTDOWN: "unreachable",
}

_WORDS = {
    "refused": "the connection was refused",
    "reset": "the peer reset the connection",
    "broken-pipe": "the connection can no longer be written to",
    "timed-out": "the peer did not acknowledge in time",
    "unreachable": "the peer cannot be reached",
}


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a script failed. `kind` is one of the names of docs/protocol.md.

    `at` is an offset in the connection's reply stream; `expected` and `got` are texts of at most
    64 bytes around it, with escapes.
    """

    kind: str
    detail: str
    errno: int | None = None
    at: int | None = None
    expected: str | None = None
    got: str | None = None


class Failed(Exception):
    """Ends a script's course; carries the failure."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.detail)
        self.failure = failure


def from_errno(number: int, during: str) -> Failure:
    """The failure that an errno means; `during` names the system call."""
    kind = _KINDS.get(number, "os")
    words = _WORDS.get(kind, os.strerror(number))
    name = errno.errorcode.get(number, str(number))
    return Failure(kind, f"{words} ({name} from {during})", number)


def from_error(error: OSError, during: str) -> Failure:
    """As `from_errno`, from an exception of the socket module."""
    return from_errno(error.errno or 0, during)


def escaped(data: bytes) -> str:
    """Bytes as text on one line: printable ASCII as it is, the rest as escapes."""
    return repr(data)[2:-1]
