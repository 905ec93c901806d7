"""SIGTERM and SIGINT: the first asks the server to stop, the second ends the process at once."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable
from threading import Thread
from types import FrameType

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StopRequest:
    """A descriptor that becomes readable when a signal asks to stop (signal.set_wakeup_fd).

    A signal that arrives just before the process begins to wait must not be slept through: its
    number is then already in this socket, so the wait ends at once.
    """

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        self._asked = False
        for number in STOP_SIGNALS:
            signal.signal(number, self._on_signal)
        signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if self._asked:
            os._exit(128 + number)  # whatever the server hangs in, it ends here
        self._asked = True

    def fileno(self) -> int:
        """The descriptor to watch."""
        return self._reader.fileno()

    def take(self) -> str | None:
        """The name of the signal that asked, `SIGTERM`; None if none has. Never waits."""
        try:
            return signal.Signals(self._reader.recv(1)[0]).name
        except BlockingIOError:
            return None


def start_thread(name: str, target: Callable[..., None], *arguments: object) -> Thread:
    """Start a thread that no signal is delivered to, and that does not outlive the main thread.

    Python handles signals in the main thread alone; one that the kernel delivers to another
    thread would not wake it. The mask is inherited from whoever starts the thread.
    """
    thread = Thread(target=target, args=arguments, name=name, daemon=True)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        thread.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    return thread
