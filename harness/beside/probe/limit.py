"""Changing the soft limit on descriptors of a running process, and as a program of its own.

prlimit(2) asks for the very same user and group ids as the process has, or for CAP_SYS_RESOURCE in
its user namespace, which a hardened node's root lacks. So the probe tries it itself, then in a
forked child that becomes the process's own user. Where it may not become that user either (no
CAP_SETUID), this command must be executed in the probe's node by who may, as that user and group:

    python -m iolab.harness.beside.probe.limit SOFT PID…
"""

from __future__ import annotations

import os
import resource
import sys

from iolab.client.fields import Invalid
from iolab.harness.beside.ops import RequestError
from iolab.harness.beside.probe import processes


def current(pid: int) -> tuple[int, int]:
    """Soft and hard limit of a process; everybody may read them in `/proc/PID/limits`."""
    for line in processes.read(f"/proc/{pid}/limits").decode().splitlines():
        if line.startswith("Max open files"):
            soft, hard = line.split()[3:5]
            return _number(soft), _number(hard)
    raise RequestError(f"/proc/{pid}/limits has no line for open files")


def lower(pid: int, soft: int) -> int:
    """Set the soft limit of one process and give the one before, once the new one is read back.

    Invalid when it is above the hard limit, PermissionError when neither the probe nor a
    child of it under the process's own user may change it.
    """
    before, hard = current(pid)
    if hard != resource.RLIM_INFINITY and soft > hard:
        most = f"at most {hard}, process {pid}'s hard limit"
        raise Invalid(f"must be {most}", field="nofile", allowed=most)
    if before != soft:
        try:
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))
        except PermissionError:
            _as_owner(pid, soft, hard)
    seen = current(pid)[0]
    if seen != soft:
        raise RequestError(f"process {pid} still has {seen} descriptors as its soft limit")
    return before


def owner(pid: int) -> tuple[int, int]:
    """Real user and group id of a process."""
    ids = {}
    for line in processes.read(f"/proc/{pid}/status").splitlines():
        if line.startswith((b"Uid:", b"Gid:")):
            ids[line[:3]] = int(line.split()[1])
    return ids[b"Uid"], ids[b"Gid"]


def _as_owner(pid: int, soft: int, hard: int) -> None:
    uid, gid = owner(pid)
    child = os.fork()
    if child == 0:
        try:
            os.setgid(gid)
            os.setuid(uid)
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))
        except OSError as error:
            os._exit(error.errno or 1)
        os._exit(0)
    number = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if number:
        raise PermissionError(number, os.strerror(number))


def _number(word: str) -> int:
    return resource.RLIM_INFINITY if word == "unlimited" else int(word)


def main() -> None:
    """Set the soft limit given first of the processes given after it."""
    soft, *pids = map(int, sys.argv[1:])
    for pid in pids:
        hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)[1]
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))


if __name__ == "__main__":
    main()
