"""How a lab is ended from outside: by a signal, whatever it is doing."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType

_ASKING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(BaseException):
    """A signal asks to end; like KeyboardInterrupt, nobody on the way should swallow it."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = signal.Signals(number)


class Stoppable:
    """While it is entered, the first of these signals raises Stopped in the main thread.

    Later ones are ignored: what is being removed then must be removed to the end.
    """

    def __enter__(self) -> Stoppable:
        for number in _ASKING:
            signal.signal(number, self._stop)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.ignore()

    @staticmethod
    def ignore() -> None:
        """From now on no signal interrupts, until the process ends."""
        for number in _ASKING:
            signal.signal(number, signal.SIG_IGN)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.ignore()
        raise Stopped(number)
