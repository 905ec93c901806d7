"""Signal-driven IO: the kernel calls us, by a signal, when something happens on a socket.

While it waits, the process sleeps in `rt_sigtimedwait`, and no socket is asked or listed: each
one has O_ASYNC set, so the kernel sends a signal when bytes or room arrive. F_SETSIG says which
one: a real-time signal, since of all others the kernel keeps one at most, fcntl(2). It is queued,
once for each thing that happened, and carries the descriptor (`si_fd`).

A signal says that something happened once, not how much is left of it. So whoever was signalled
is asked with a poll that does not wait, and stays on the list of those to ask until the answer is
"nothing". And the queue of signals has an end, RLIMIT_SIGPENDING, up to which the signals of
all processes of the user are counted together: beyond it the kernel sends a plain SIGIO that names
nobody, and then everybody has to be asked.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import select
import signal
from collections.abc import Iterable

from ..events import Log
from ..listener import Listener
from ..service import Service
from ..settings import Settings
from ..stop import StopRequest

# Python's own sigtimedwait does not give `si_fd`.
_libc = ctypes.CDLL(None, use_errno=True)

READY_SIGNAL = signal.SIGRTMIN + 1  # the C library keeps the first ones for itself


class _SignalInfo(ctypes.Structure):
    """The part of siginfo_t that SIGPOLL fills, sigaction(2); 128 bytes on every architecture."""

    _fields_ = (
        ("signo", ctypes.c_int),
        ("errno", ctypes.c_int),
        ("code", ctypes.c_int),
        ("band", ctypes.c_long),
        ("fd", ctypes.c_int),
        ("rest", ctypes.c_byte * 96),
    )


class _TimeSpec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class SigioPoller:
    """Interest is O_ASYNC on the descriptor; `_asked` are those that may have something left."""

    max_fd: int | None = None

    def __init__(self) -> None:
        self._interest: dict[int, int] = {}
        self._asked: set[int] = set()
        self._info = _SignalInfo()
        waited = {READY_SIGNAL, signal.SIGIO}
        # Blocked, or the signals would interrupt the program instead of waiting for it.
        signal.pthread_sigmask(signal.SIG_BLOCK, waited)
        bits = sum(1 << (number - 1) for number in waited)
        self._waited = (ctypes.c_ulong * 16)(bits)  # sigset_t

    def register(self, fd: int, interest: int) -> None:
        fcntl.fcntl(fd, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(fd, fcntl.F_SETSIG, READY_SIGNAL)
        fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) | os.O_ASYNC)
        self.modify(fd, interest)

    def modify(self, fd: int, interest: int) -> None:
        self._interest[fd] = interest
        self._asked.add(fd)  # what was there before sent no signal

    def unregister(self, fd: int) -> None:
        # The flag belongs to the open file, which standard input shares with other processes.
        fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) & ~os.O_ASYNC)
        del self._interest[fd]
        self._asked.discard(fd)

    def wait(self, timeout: float | None) -> Iterable[tuple[int, int]]:
        if self._take_signal(0.0 if self._asked else timeout):
            while self._take_signal(0.0):
                pass
        poll = select.poll()
        for fd in self._asked & self._interest.keys():
            poll.register(fd, self._interest[fd])
        ready = poll.poll(0)
        self._asked = {fd for fd, _mask in ready}
        return ready

    def _take_signal(self, timeout: float | None) -> bool:
        """Wait for one signal and note whom to ask; False if none came."""
        limit = None
        if timeout is not None:
            limit = ctypes.byref(_TimeSpec(int(timeout), int(timeout % 1 * 1e9)))
        number = _libc.sigtimedwait(self._waited, ctypes.byref(self._info), limit)
        if number == signal.SIGIO:
            self._asked.update(self._interest)
        elif number == READY_SIGNAL:
            self._asked.add(self._info.fd)
        elif ctypes.get_errno() not in (errno.EAGAIN, errno.EINTR):
            raise OSError(ctypes.get_errno(), "sigtimedwait")
        return bool(number > 0)

    def close(self) -> None:
        for fd in list(self._interest):
            self.unregister(fd)


def unavailable() -> str | None:
    return None if hasattr(fcntl, "F_SETSIG") else "this system has no F_SETSIG (fcntl(2))"


def serve(settings: Settings, listener: Listener, log: Log, stop: StopRequest) -> None:
    Service(settings, listener, log, stop, SigioPoller()).run()
