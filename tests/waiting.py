"""The one wait of all tests: for a condition that is looked at, never for time to pass."""

from __future__ import annotations

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
