"""What the processes of labs may take of the machine."""

from __future__ import annotations

import resource
from pathlib import Path

# The kernel's own ceiling (`fs.nr_open`), for where the hard limit is "infinite".
_CEILING = 1 << 20

_FIRST_TO_GO = "1000"


def most_descriptors() -> int:
    """How many descriptors a process may be allowed to open here."""
    return min(resource.getrlimit(resource.RLIMIT_NOFILE)[1], _CEILING)


def apply() -> None:
    """For the caller and all that it will fork: many descriptors, and no claim on memory.

    A subject that grows without bound, as some are here to do, is what the kernel kills when
    memory is out, and not what else runs on the machine. (RLIMIT_DATA would bound it, but counts a
    stack of 8 MiB for each of a thousand threads.)
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most_descriptors(), hard))
    Path("/proc/self/oom_score_adj").write_text(_FIRST_TO_GO)
