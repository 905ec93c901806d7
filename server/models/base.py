"""What a model is, and what a poller is: the two contracts of this folder."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ..events import Log
    from ..listener import Listener
    from ..settings import Settings
    from ..stop import StopRequest

# The bits of poll(2) and epoll_ctl(2), which are the same on Linux, so that the pollers for them
# pass on what the kernel said as it is.
READ = 0x01
WRITE = 0x04
BROKEN = 0x08 | 0x10  # POLLERR | POLLHUP: reported unasked where the system call can tell


class Model(Protocol):
    """A module of this folder: one way to wait for many clients, or for one."""

    def unavailable(self) -> str | None:
        """Why this model cannot run on this machine, in words; None if it can."""

    def serve(self, settings: Settings, listener: Listener, log: Log, stop: StopRequest) -> None:
        """Serve until `stop` says so, then finish what is in flight within the grace time."""


class Poller(Protocol):
    """Holds interest in descriptors, waits, and reports. It calls nobody back.

    Interest is a mask of `READ` and `WRITE`, or 0: registered and not watched. A descriptor is
    level-triggered: what is not consumed is reported again.
    """

    max_fd: int | None
    """The first descriptor number that it cannot watch; None if it can watch all."""

    def register(self, fd: int, interest: int) -> None:
        """Begin to watch `fd`."""

    def modify(self, fd: int, interest: int) -> None:
        """Watch `fd` for other events."""

    def unregister(self, fd: int) -> None:
        """Stop watching `fd`, before it is closed."""

    def wait(self, timeout: float | None) -> Iterable[tuple[int, int]]:
        """Wait up to `timeout` seconds, or for ever, and give the `(fd, mask)` that are ready."""

    def close(self) -> None:
        """Give back what the kernel lent."""
