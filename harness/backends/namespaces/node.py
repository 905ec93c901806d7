"""The inside of a node: what its init does in the namespaces that it was born into.

The holder forks an init into new network and PID namespaces. The init makes the rest private, gives
up what it does not need, and then starts processes as `harness.backends.local.init` says. The file
system is the machine's own, read-only; what must be writable is laid over it in memory.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NoReturn

from iolab.harness.backends.local import linux, messages
from iolab.harness.backends.local.init import Init
from iolab.harness.backends.local.messages import Message
from iolab.harness.backends.namespaces import steps
from iolab.harness.backends.namespaces.steps import StepFailed, step

# What the probe needs to read a subject of any user and to act on its packets, and what it takes
# to start the subject as another user, with fewer capabilities, and to set its descriptor limit.
POD_CAPABILITIES = linux.capability_set(
    "SYS_PTRACE",
    "DAC_READ_SEARCH",
    "NET_ADMIN",
    "NET_RAW",
    "KILL",
    "SETUID",
    "SETGID",
    "SETPCAP",
    "SYS_RESOURCE",
)

# What is left to everybody else: as root they must be able to read the project under the closed
# home of somebody else.
READ_ANYTHING = linux.capability_set("DAC_READ_SEARCH")

_IN_MEMORY = "size=64m,mode=1777"


def run(control: socket.socket, node: Message) -> NoReturn:
    """Be the init of the node that the holder's request describes, in its new namespaces."""
    try:
        _make_private(node)
        keep = READ_ANYTHING
        if node["pod"]:
            keep = POD_CAPABILITIES | linux.capability_set(*node["capabilities"])
        with step("dropping capabilities"):
            linux.bound_capabilities(keep)
            linux.set_capabilities(keep & linux.effective_capabilities())
            linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)
    except StepFailed as failure:
        with contextlib.suppress(BrokenPipeError):  # nobody waits for this node any more
            messages.send(control, {"refused": str(failure)})
        os._exit(1)
    Init(control).run()


def enter_read_only_root() -> bool:
    """A mount namespace in which everything but /proc is read-only; False if Linux is too old.

    /proc is that of the caller's PID namespace.
    """
    with step(steps.MOUNT):
        linux.unshare(linux.CLONE_NEWNS)
        linux.mount("none", "/", "", linux.MS_REC | linux.MS_PRIVATE)
        read_only = _set_read_only("/")
    _mount_proc()
    return read_only


def _make_private(node: Message) -> None:
    with step(steps.MOUNT):
        linux.unshare(linux.CLONE_NEWNS | linux.CLONE_NEWUTS | linux.CLONE_NEWIPC)
        socket.sethostname(node["name"])
    _mount_proc()
    with step(steps.MOUNT):
        _set_read_only("/proc")
        _lay_memory_over(["/dev/shm", *node["writable"]], node["needed"])
        for folder in node["cgroups"]:
            # The subject enters its control groups itself, before it is what it will be.
            linux.mount(folder, folder, "", linux.MS_BIND)
            _set_read_only(folder, False)


def _mount_proc() -> None:
    with step(steps.PROC):
        linux.mount("proc", "/proc", "proc", linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC)


def _set_read_only(path: str, on: bool = True) -> bool:
    try:
        linux.set_read_only(path, on)
    except OSError as error:
        if error.errno != errno.ENOSYS:
            raise
        return False
    return True


def _lay_memory_over(folders: Iterable[str], needed: Sequence[str]) -> None:
    """Mount a tmpfs over each folder, and bind back into it what is needed of what it hides."""
    for folder in folders:
        hidden = {
            path: os.open(path, os.O_PATH | os.O_CLOEXEC)
            for path in needed
            if Path(folder) in Path(path).parents
        }
        linux.mount("tmpfs", folder, "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, _IN_MEMORY)
        for path, fd in hidden.items():
            os.makedirs(path, exist_ok=True)
            linux.mount(f"/proc/self/fd/{fd}", path, "", linux.MS_BIND | linux.MS_REC)
            os.close(fd)
