"""The Linux calls that Python 3.11 has no wrapper for: namespaces, mounts, prctl, capabilities.

Each is as thin as it can be: the system call's own name and arguments, and an OSError with the
errno and the name of the call when it fails.
"""

from __future__ import annotations

import ctypes
import os
import struct

CLONE_NEWNS = 0x0002_0000
CLONE_NEWUTS = 0x0400_0000
CLONE_NEWIPC = 0x0800_0000
CLONE_NEWUSER = 0x1000_0000
CLONE_NEWPID = 0x2000_0000
CLONE_NEWNET = 0x4000_0000

MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_BIND = 4096
MS_REC = 16384
MS_PRIVATE = 1 << 18

PR_SET_PDEATHSIG = 1
PR_SET_KEEPCAPS = 8
PR_CAPBSET_DROP = 24
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2

# Their numbers are their places, from linux/capability.h.
_CAPABILITIES = """
    CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE
    NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO
    SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG
    MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM
    BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE
"""

_AT_FDCWD = -100
_AT_RECURSIVE = 0x8000
_SYS_MOUNT_SETATTR = 442  # the same number on every architecture
_MOUNT_ATTR_RDONLY = 1
_CAPABILITY_VERSION_3 = 0x2008_0522

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(call: str, result: int) -> int:
    if result < 0:
        errno = ctypes.get_errno()
        raise OSError(errno, f"{call}: {os.strerror(errno)}")
    return result


def unshare(flags: int) -> None:
    """unshare(2): new namespaces for the caller (of PIDs: for its children)."""
    _checked("unshare", _libc.unshare(ctypes.c_int(flags)))


def setns(fd: int, kind: int) -> None:
    """setns(2): enter the namespace of that kind (CLONE_NEW…) that `fd` refers to."""
    _checked("setns", _libc.setns(ctypes.c_int(fd), ctypes.c_int(kind)))


def mount(source: str, target: str, kind: str, flags: int = 0, data: str = "") -> None:
    """mount(2)."""
    result = _libc.mount(
        source.encode(), os.fsencode(target), kind.encode(), ctypes.c_ulong(flags), data.encode()
    )
    _checked(f"mount {target}", result)


def set_read_only(path: str, on: bool) -> None:
    """Every mount at and under `path`, by mount_setattr(2); OSError ENOSYS before Linux 5.12."""
    to_set, to_clear = (_MOUNT_ATTR_RDONLY, 0) if on else (0, _MOUNT_ATTR_RDONLY)
    attributes = struct.pack("=QQQQ", to_set, to_clear, 0, 0)
    result = _libc.syscall(
        ctypes.c_long(_SYS_MOUNT_SETATTR),
        ctypes.c_int(_AT_FDCWD),
        os.fsencode(path),
        ctypes.c_uint(_AT_RECURSIVE),
        attributes,
        ctypes.c_size_t(len(attributes)),
    )
    _checked("mount_setattr", result)


def close_all_but(fd: int) -> None:
    """Close every descriptor above standard error but this: a fork, unlike an exec, closes none."""
    os.closerange(3, fd)
    os.closerange(fd + 1, os.sysconf("SC_OPEN_MAX"))


def prctl(option: int, first: int = 0, second: int = 0) -> None:
    """prctl(2)."""
    arguments = [ctypes.c_ulong(value) for value in (first, second, 0, 0)]
    _checked("prctl", _libc.prctl(ctypes.c_int(option), *arguments))


def capability_set(*names: str) -> int:
    """The bits of the capabilities of those names; ValueError for one that Linux does not know."""
    known = _CAPABILITIES.split()
    bits = 0
    for name in names:
        if name.removeprefix("CAP_") not in known:
            raise ValueError(f"{name} is not a capability of Linux")
        bits |= 1 << known.index(name.removeprefix("CAP_"))
    return bits


def bound_capabilities(keep: int) -> None:
    """Drop every capability but those of `keep` from the bounding set, for good."""
    for number in range(_last_capability() + 1):
        if not keep >> number & 1:
            prctl(PR_CAPBSET_DROP, number)


def set_capabilities(keep: int) -> None:
    """Make the effective, permitted and inheritable sets exactly `keep`."""
    header = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
    low, high = keep & 0xFFFF_FFFF, keep >> 32
    data = struct.pack("=6I", low, low, low, high, high, high)
    _checked("capset", _libc.capset(header, data))


def effective_capabilities() -> int:
    """The caller's effective capabilities, as bits."""
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith("CapEff:"):
                return int(line.split()[1], 16)
    raise OSError("/proc/self/status has no line CapEff")


def _last_capability() -> int:
    with open("/proc/sys/kernel/cap_last_cap") as file:
        return int(file.read())
