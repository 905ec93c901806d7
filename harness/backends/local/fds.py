"""How many descriptors a process may have, and giving that many."""

from __future__ import annotations

import os
import resource

# The kernel's own ceiling (`fs.nr_open`), for where the hard limit is "infinite".
_CEILING = 1 << 20


def most() -> int:
    """How many descriptors a process may be allowed to open here."""
    return min(resource.getrlimit(resource.RLIMIT_NOFILE)[1], _CEILING)


def allow_most() -> None:
    """Raise the soft limit, for the caller and all that it will fork."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most(), hard))


def close_all_but(fd: int) -> None:
    """Close every one above standard error but this: a fork, unlike an exec, closes none."""
    os.closerange(3, fd)
    os.closerange(fd + 1, os.sysconf("SC_OPEN_MAX"))
