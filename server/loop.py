"""The event loop: it waits in a poller, takes what happened, and calls what was registered for it.

The poller only reports; all calling is done here, in order, one callback at a time. That is the
whole of event-driven programming: nobody waits for anybody, because every callback returns at
once. A callback must take its event as a hint and find out by the system call itself: an earlier
callback of the same round may have closed the descriptor, and the number may already belong to
another connection.
"""

from __future__ import annotations

from collections.abc import Callable

from .models.base import Poller
from .timers import Timers

Callback = Callable[[int], None]


class Loop:
    """Callbacks for descriptors and times, over one poller."""

    def __init__(self, poller: Poller) -> None:
        self.poller = poller
        self._callbacks: dict[int, Callback] = {}
        self._timers = Timers()
        self.call_later = self._timers.call_later
        self.cancel = self._timers.cancel
        self._running = False

    def register(self, fd: int, interest: int, callback: Callback) -> None:
        """Call `callback` with what happens on `fd`, of the events in the mask `interest`."""
        self.poller.register(fd, interest)
        self._callbacks[fd] = callback

    def modify(self, fd: int, interest: int, callback: Callback) -> None:
        """Change the events that `fd` is watched for, 0 being none, and what is called."""
        self.poller.modify(fd, interest)
        self._callbacks[fd] = callback

    def unregister(self, fd: int) -> None:
        """Forget `fd`. To be called before it is closed."""
        self.poller.unregister(fd)
        del self._callbacks[fd]

    def stop(self) -> None:
        """Let `run` return after the round that is going on."""
        self._running = False

    def run(self) -> None:
        """Wait and call, until `stop`."""
        self._running = True
        wait = self.poller.wait
        callbacks = self._callbacks
        ring = self._timers.ring
        timeout = ring()
        while self._running:
            for fd, mask in wait(timeout):
                if fd in callbacks:
                    callbacks[fd](mask)
            timeout = ring()  # which may stop us: so after the round, and not in the call of wait
