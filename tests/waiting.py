"""The one wait of all tests: for a condition that is looked at, never for time to pass."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

# For what happens in milliseconds on an idle machine, and later on a busy one.
PATIENCE_S = 30.0

LOOK_EVERY_S = 0.005


def wait_until(
    what: str,
    look: Callable[[], T],
    *,
    holds: Callable[[T], object] = bool,
    within_s: float = PATIENCE_S,
) -> T:
    """Look again and again until what is seen is true, or `holds` says so; return it.

    Raises AssertionError with the last thing seen if that does not come within so many seconds.
    """
    deadline = time.monotonic() + within_s
    while not holds(seen := look()):
        if time.monotonic() > deadline:
            raise AssertionError(f"after {within_s:g} s not yet: {what}; last seen: {seen!r}")
        time.sleep(LOOK_EVERY_S)
    return seen


def is_empty(seen: object) -> bool:
    """For `holds`, where nothing is to be left; the error shows what is."""
    return not seen


def wait_until_calm(
    what: str,
    cpu_s: Callable[[], float],
    *,
    for_s: float = 0.5,
    share: float = 0.1,
    within_s: float = PATIENCE_S,
) -> None:
    """Wait until a process has used at most this share of a CPU over so many seconds.

    `cpu_s` gives what it has used so far. One that never rests is never calm.
    """
    since, used = time.monotonic(), cpu_s()

    def calm_for() -> float:
        nonlocal since, used
        now, used_now = time.monotonic(), cpu_s()
        if used_now - used > share * for_s:
            since, used = now, used_now
        return now - since

    wait_until(what, calm_for, holds=lambda seconds: seconds >= for_s, within_s=within_s)


# In the kernel's tcp_info: how long ago data came, in milliseconds.
_LAST_DATA_RECEIVED = 8 + 11 * 4


def wait_until_silent(sock: socket.socket, for_s: float) -> None:
    """Wait until the kernel says that the socket has got no data for so many seconds."""

    def silent_for() -> float:
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _LAST_DATA_RECEIVED + 4)
        (milliseconds,) = struct.unpack_from("=I", info, _LAST_DATA_RECEIVED)
        return float(milliseconds) / 1000

    wait_until(
        "silence", silent_for, holds=lambda seconds: seconds > for_s, within_s=for_s + PATIENCE_S
    )
