"""A port for each lab, kept from every other lab on this machine.

Theory of operation. A reservation is a UNIX socket with an abstract name that holds the port's
number. Such a name exists once in a network namespace, which is just where a port exists once; it
needs no file, and the kernel gives it back when the last process that holds the socket has ended.
The holder has it, which ends after the subject: nobody is given a port whose last server still
lives. Whoever has to wait for a port connects to its socket, and is woken when that is closed.

Free ports are taken below the ephemeral range, from which the kernel gives ports to the clients,
and in turn: the next lab is not given the port on which connections of the last one are in
TIME-WAIT.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import time
from pathlib import Path

from iolab.harness.backends.base import BackendError

_LOWEST = 10_240
_LONGEST_LAB_S = 900.0
_LOOK_AGAIN_S = 0.02


class Reservation:
    """A port, until it is closed in every process that was given it."""

    def __init__(self, port: int, lock: socket.socket) -> None:
        self.port = port
        self._lock = lock

    def fileno(self) -> int:
        """The descriptor that keeps it."""
        return self._lock.fileno()

    def close(self) -> None:
        """Let go of it here."""
        self._lock.close()

    def __enter__(self) -> Reservation:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def reserve_any(turn: int) -> Reservation:
    """A port that nobody uses and no other lab has; `turn` says where to begin to look.

    BackendError when there is none.
    """
    ports = range(_LOWEST, _ephemeral())
    for offset in range(len(ports)):
        port = ports[(turn + offset) % len(ports)]
        lock = _lock(port)
        if lock is None:
            continue
        if is_free(port, reuse=False):
            return Reservation(port, lock)
        lock.close()
    raise BackendError(f"no port from {ports[0]} to {ports[-1]} is free")


def reserve(port: int) -> Reservation:
    """This port, as soon as no other lab has it.

    BackendError when a program that is no lab's listens on it.
    """
    deadline = time.monotonic() + _LONGEST_LAB_S
    while (lock := _lock(port)) is None:
        if time.monotonic() > deadline:
            raise BackendError(f"another lab has kept port {port} for {_LONGEST_LAB_S:g} s")
        _wait_for_release(port, deadline)
    if not is_free(port, reuse=True):
        lock.close()
        raise BackendError(f"port {port} is in use, and the command has no {{host}} and {{port}}")
    return Reservation(port, lock)


def _name(port: int) -> str:
    return f"\0iolab.port.{port}"


def _lock(port: int) -> socket.socket | None:
    lock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        lock.bind(_name(port))
        lock.listen(socket.SOMAXCONN)
    except OSError as error:
        lock.close()
        if error.errno != errno.EADDRINUSE:
            raise
        return None
    return lock


def _wait_for_release(port: int, deadline: float) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as waiter:
        try:
            waiter.settimeout(_LOOK_AGAIN_S)
            waiter.connect(_name(port))
        except (ConnectionRefusedError, TimeoutError, BlockingIOError):
            return  # just released, or bound and not listening yet, or too many wait: look again
        poll = select.poll()
        poll.register(waiter, select.POLLIN)
        poll.poll(max(0.0, deadline - time.monotonic()) * 1000)


def is_free(port: int, *, reuse: bool) -> bool:
    """Whether a server could have the port; with `reuse`, TIME-WAIT does not count."""
    for family, anywhere in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        try:
            with socket.socket(family, socket.SOCK_STREAM) as trial:
                trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuse)
                if family == socket.AF_INET6:
                    trial.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, True)
                trial.bind((anywhere, port))
                if reuse:
                    trial.listen(1)  # among those that reuse an address, a listener alone objects
        except OSError as error:
            if error.errno in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
                continue  # no IPv6 here
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
            return False
    return True


def why_no_ipv6() -> str | None:
    """Why nothing can listen on ::1 here; None when it can."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as trial:
            trial.bind(("::1", 0))
    except OSError as error:
        return (
            f"the loopback device has no address ::1 ({error.strerror}):"
            " set net.ipv6.conf.lo.disable_ipv6 to 0"
        )
    return None


def _ephemeral() -> int:
    """Where the ports begin that the kernel gives out."""
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    return max(lowest, _LOWEST + 1)


def first_turn() -> int:
    """Where this process begins to look for a port: elsewhere than its siblings."""
    return os.getpid() * 64
