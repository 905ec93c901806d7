"""The kernel's TCP counters of this network namespace, by the names that nstat(8) knows."""

from __future__ import annotations

from iolab.harness.beside.probe import processes

_FILES = (("/proc/self/net/snmp", "Tcp:"), ("/proc/self/net/netstat", "TcpExt:"))


def counters() -> dict[str, int]:
    """All counters of `Tcp` and `TcpExt`, such as `ListenOverflows` and `TCPAbortOnData`.

    OSError where the kernel does not show them.
    """
    found: dict[str, int] = {}
    for path, group in _FILES:
        lines = [
            line for line in processes.read(path).decode().splitlines() if line.startswith(group)
        ]
        names, values = (line.split()[1:] for line in lines)  # the first line names the second's
        found |= zip(names, map(int, values), strict=True)
    return found
