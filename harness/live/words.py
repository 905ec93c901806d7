"""What system calls and socket states mean for whoever watches a server."""

from __future__ import annotations

from collections.abc import Mapping

from iolab.harness.places import IS_CHECKOUT

# What a user types, who has a checkout, or the package.
LAB, JOIN, ANSWER = (
    ("make lab", "make client", "make lab REPLY=operator")
    if IS_CHECKOUT
    else ("iolab lab", "iolab client", "iolab lab --reply operator")
)

# What a thread that sleeps in the call waits for; each follows the word "until", and `{who}` is
# whose socket it is.
UNTIL: Mapping[str, str] = {
    **dict.fromkeys(
        ("select", "pselect6", "poll", "ppoll", "epoll_wait", "epoll_pwait", "epoll_pwait2"),
        "any of its sockets is ready",
    ),
    **dict.fromkeys(("accept", "accept4"), "somebody connects"),
    **dict.fromkeys(("recvfrom", "recvmsg", "read"), "{who} speaks"),
    **dict.fromkeys(("sendto", "sendmsg", "write", "writev"), "{who} reads"),
    **dict.fromkeys(("rt_sigtimedwait", "rt_sigsuspend"), "a signal tells of a socket"),
    "io_uring_enter": "the kernel has completed something",
    "futex": "another thread wakes it",
    **dict.fromkeys(("nanosleep", "clock_nanosleep"), "the next round of asking"),
}

# One colour for each kind of waiting, whatever the call's name.
CALL_STYLES: Mapping[str, str] = {
    "running": "green",
    **dict.fromkeys(
        ("select", "pselect6", "poll", "ppoll", "epoll_wait", "epoll_pwait", "epoll_pwait2"),
        "dodger_blue1",
    ),
    **dict.fromkeys(("accept", "accept4"), "cyan"),
    **dict.fromkeys(("recvfrom", "recvmsg", "read"), "magenta"),
    **dict.fromkeys(("sendto", "sendmsg", "write", "writev"), "yellow"),
    **dict.fromkeys(("rt_sigtimedwait", "rt_sigsuspend"), "medium_purple1"),
    "io_uring_enter": "turquoise2",
}

# Of the states in which a socket can be, those worth a colour.
STATE_STYLES: Mapping[str, str] = {
    "ESTABLISHED": "green",
    "CLOSE-WAIT": "bold yellow",  # the peer has closed its side, and the server has not (yet)
    "CLOSED": "bold red",  # in no table any more, and its descriptor is still open
    "FIN-WAIT-1": "yellow",
    "FIN-WAIT-2": "yellow",
    "LAST-ACK": "yellow",
    "CLOSING": "yellow",
    "SYN-RECEIVED": "cyan",
    "TIME-WAIT": "bright_black",  # the kernel's own memory of a connection, no leak
}


def seconds(value: float) -> str:
    """A duration in at most seven characters: `80 µs`, `1.4 ms`, `12 ms`, `3.4 s`, `12 m`."""
    if not value:
        return "0 s"
    if value < 0.0009995:
        return f"{value * 1e6:.0f} µs"
    if value < 0.00995:
        return f"{value * 1000:.1f} ms"
    if value < 0.9995:
        return f"{value * 1000:.0f} ms"
    if value < 9.95:
        return f"{value:.1f} s"
    if value < 600:
        return f"{value:.0f} s"
    return f"{value / 60:.0f} m"


def size(value: float) -> str:
    """A number of bytes in at most six characters: `17`, `2.4 K`, `118 M`."""
    if value < 1000:
        return f"{value:.0f}"
    for unit in "KMGT":
        value /= 1024
        if value < 9.95:
            return f"{value:.1f} {unit}"
        if value < 1000:
            return f"{value:.0f} {unit}"
    return f"{value:.0f} T"


def clock(value: float) -> str:
    """Seconds as `m:ss`, or `h:mm:ss` from an hour on."""
    whole = int(value)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def count(number: int, one: str, many: str | None = None) -> str:
    """`1 connection`, `2 connections`."""
    return f"{number} {one if number == 1 else many or one + 's'}"
