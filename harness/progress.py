"""What long work says while it goes on: lasting lines, and the step under way on a terminal."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.status import Status


class Progress:
    """Lines about long work; a context manager.

    On a terminal the step under way is shown beside a spinner and vanishes; elsewhere only the
    lasting lines are printed, so that a log holds what was decided and not how it went.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True, highlight=False, soft_wrap=True)
        self._status: Status | None = None

    def say(self, line: str) -> None:
        """A line that stays."""
        self._console.print(line, markup=False)

    def doing(self, step: str) -> None:
        """The step under way."""
        if not self._console.is_terminal:
            return
        shown = step[: self._console.width - 4].replace("[", r"\[")
        if self._status is None:
            self._status = self._console.status(shown)
            self._status.start()
        else:
            self._status.update(shown)

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None
