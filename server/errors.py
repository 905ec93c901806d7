"""What the operating system's errors mean here: the one place that reads `errno`.

A lost peer is an everyday event for a server, so it becomes a name for the log, of phase and
kind ("send-reset"), and never an exception that travels.
"""

from __future__ import annotations

import errno

_KINDS = {
    0: "reset",  # hung up, and an earlier call has taken the error
    errno.ECONNRESET: "reset",
    errno.EPIPE: "reset",  # the reset was reported by an earlier call
    errno.ECONNABORTED: "reset",
    errno.ENOTCONN: "reset",
    errno.ETIMEDOUT: "timeout",  # keepalive, TCP_USER_TIMEOUT or tcp_retries2 gave up
    errno.EHOSTUNREACH: "unreachable",
    errno.ENETUNREACH: "unreachable",
    errno.ENETDOWN: "unreachable",
}

# accept(2), "Error handling": Linux passes errors pending on the new socket through accept, and
# asks to treat them like EAGAIN by retrying. EPERM is a firewall's refusal.
PENDING_ON_ACCEPT = frozenset(
    {
        errno.ECONNABORTED,
        errno.ECONNRESET,
        errno.ETIMEDOUT,
        errno.EPERM,
        errno.EPROTO,
        errno.ENOPROTOOPT,
        errno.EOPNOTSUPP,
        errno.EHOSTDOWN,
        errno.EHOSTUNREACH,
        errno.ENETDOWN,
        errno.ENETUNREACH,
        errno.ENONET,
    }
)

# Nothing is wrong with the peer: this process or this machine has no room for another socket.
OUT_OF_DESCRIPTORS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


def name(code: int | None) -> str:
    """The symbol of an error number, as errno(3) lists it: `EMFILE`."""
    return errno.errorcode.get(code or 0, str(code))


def reason(phase: str, error: OSError) -> str:
    """Why a connection ended, for the log: `phase` is "receive" or "send"."""
    return f"{phase}-{_KINDS.get(error.errno or 0, name(error.errno))}"
