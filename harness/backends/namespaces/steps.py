"""The steps by which a lab is built, and what to change on a machine where one of them fails.

A lab and the trial (`Namespaces.check`) take the same steps in the same order, because the trial
is a lab: what is tried is what is done.
"""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path

USER = "user namespace"
MAPPING = "mapping of the user"
PID = "PID namespace"
NETWORK = "network namespace"
MOUNT = "mount namespace"
PROC = "mounting /proc"
BRIDGE = "bridge"
VETH = "veth pair"
ADDRESS = "setting an address"
PACKET = "passing a packet"


class StepFailed(Exception):
    """A step that this machine does not allow; the message is one line with what to change."""


@contextlib.contextmanager
def step(name: str) -> Iterator[None]:
    """Name the step in which a system call fails."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        hint = _what_to_change(name, error.errno)
        raise StepFailed(f"{name}: {reason}" + (f" ({hint})" if hint else "")) from error


def _what_to_change(name: str, number: int | None) -> str | None:
    if number == errno.ENOSPC and name in (USER, PID, NETWORK, MOUNT):
        kind = {USER: "user", PID: "pid", NETWORK: "net", MOUNT: "mnt"}[name]
        return f"the limit user.max_{kind}_namespaces is reached: raise it by sysctl"
    if number in (errno.EPERM, errno.EACCES):
        if _sysctl("kernel/unprivileged_userns_clone") == "0":
            return "set kernel.unprivileged_userns_clone to 1 by sysctl, or run as root"
        if _sysctl("kernel/apparmor_restrict_unprivileged_userns") == "1":
            return (
                "AppArmor takes the capabilities away: set "
                "kernel.apparmor_restrict_unprivileged_userns to 0 by sysctl, or run as root"
            )
        if name == PROC:
            return "parts of /proc are covered, as in a container: run it with --privileged"
        return "not allowed here: run as root, or a container with --privileged"
    if number in (errno.EOPNOTSUPP, errno.EAFNOSUPPORT, errno.ENODEV) and name in (BRIDGE, VETH):
        return f"the kernel has no driver for it: load the module {name.split()[0]}"
    return None


def _sysctl(name: str) -> str | None:
    try:
        return Path("/proc/sys", name).read_text().strip()
    except OSError:  # this kernel has no such setting
        return None
