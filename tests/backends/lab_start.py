"""How long a lab takes to start: `python -m tests.backends.lab_start BACKEND [LABS]`.

From nothing to a subject that listens, a probe and a client agent that are ready. Prints medians
of first labs, which make everything, and next ones, which may find what the last has left.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Sequence

from iolab.harness.backends import choose, identity
from iolab.harness.backends.base import Backend, LabNodes
from iolab.harness.backends.channel import Channel
from tests.backends.subjects import ECHO


def start(backend: Backend) -> tuple[float, LabNodes]:
    """Start a lab; how long it took, in seconds."""
    began = time.monotonic()
    lab = backend.open_lab(ECHO)
    probe = Channel("probe", lab.pod.start_probe())
    agent = Channel("agent", lab.client("one").spawn(["python3", "-m", "iolab.client", "agent"]))
    probe.ready()
    lab.pod.start_subject(probe)
    probe.request("wait", condition={"listening": lab.pod.port}, within_s=20)
    agent.ready()
    return time.monotonic() - began, lab


def measure(backend: Backend, labs: int) -> tuple[list[float], list[float]]:
    """Seconds of so many first labs, each while the others stand, and of as many next ones."""
    first = [start(backend) for _ in range(labs)]
    for _, lab in first:
        lab.close()
    following = []
    for _ in range(labs):
        took, lab = start(backend)
        following.append(took)
        lab.close()
    return [took for took, _ in first], following


def main(arguments: Sequence[str]) -> None:
    name, *rest = arguments
    backend = choose.backend(name, identity.new_id())
    backend.check()
    try:
        backend.prepare()
        for kind, took in zip(
            ("first", "next"), measure(backend, int(*rest) if rest else 10), strict=True
        ):
            print(
                f"{name}: {kind} lab: median {statistics.median(took):.3f} s,"
                f" {min(took):.3f} to {max(took):.3f} s (load {os.getloadavg()[0]:.1f})"
            )
    finally:
        backend.close()


if __name__ == "__main__":
    main(sys.argv[1:])
