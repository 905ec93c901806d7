"""What the benchmark makes of the machine: a network of its own, a core for each side."""

from __future__ import annotations

import os
import platform
import resource
import time
from dataclasses import dataclass
from pathlib import Path

from iolab.harness.backends.local import limits, linux
from iolab.harness.backends.namespaces.rtnetlink import Links

_LOOPBACK_INDEX = 1


@dataclass(frozen=True)
class Machine:
    """Where it runs; `setting` says in sentences how server and client are kept to themselves.

    `server_core` and `client_core` are None where there is one core only.
    """

    cpu: str
    cores: int
    kernel: str
    python: str
    server_core: int | None
    client_core: int | None
    setting: tuple[str, str]


def prepare() -> Machine:
    """Take this process, and all that it will start, into a network namespace of its own."""
    problem = _isolate()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limits.most_descriptors(), hard))
    cores = sorted(os.sched_getaffinity(0))
    pinned = len(cores) > 1
    return Machine(
        cpu=_cpu(),
        cores=len(cores),
        kernel=f"{platform.system()} {platform.release()}",
        python=f"{platform.python_implementation()} {platform.python_version()}",
        server_core=cores[0] if pinned else None,
        client_core=cores[1] if pinned else None,
        setting=(
            f"No network namespace of their own: {problem}"
            if problem
            else "Server and client are in a network namespace of their own",
            "Each has a core of its own" if pinned else "They share the only core",
        ),
    )


def busy_s() -> float:
    """Seconds that all cores together have worked since the machine started."""
    user, nice, system, _idle, _wait, irq, soft, *_ = map(
        int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    )
    return float(user + nice + system + irq + soft) / os.sysconf("SC_CLK_TCK")


def cpu_s(pid: int) -> float:
    """Seconds of CPU that a process has taken, to the nanosecond (clock_getcpuclockid(3))."""
    return time.clock_gettime((~pid << 3) | 2)


def widen_ports() -> None:
    """Let clients in this network namespace use more ports. Half of the range is found at once, and
    the rest is looked for one by one, which thousands of connections to one server would feel."""
    Path("/proc/sys/net/ipv4/ip_local_port_range").write_text("10000 65535")


def _isolate() -> str | None:
    """Enter a new network namespace with a loopback that is up; None, or what failed."""
    uid, gid = os.geteuid(), os.getegid()
    try:
        if uid == 0:
            linux.unshare(linux.CLONE_NEWNET)
        else:
            linux.unshare(linux.CLONE_NEWUSER | linux.CLONE_NEWNET)
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
            Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
        links = Links()
        links.set_up(_LOOPBACK_INDEX, True)
        links.close()
        widen_ports()
    except OSError as error:
        return f"{error.strerror or error}"
    return None


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
