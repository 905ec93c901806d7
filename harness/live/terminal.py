"""The terminal while the live view is on it: a screen of its own, keys one by one."""

from __future__ import annotations

import contextlib
import os
import select
import termios
import tty
from collections.abc import Iterator

from rich.console import Console, RenderableType
from rich.live import Live

CTRL_C = b"\x03"

_CC = 6  # the place of the keys in what tcgetattr(3) gives
_PIECE = 1 << 12


class Terminal:
    """Shows frames and hears keys; made by `opened`."""

    def __init__(self, console: Console, live: Live, keyboard: int) -> None:
        self._console = console
        self._live = live
        self._keyboard = keyboard

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows, now."""
        return self._console.size

    def show(self, frame: RenderableType) -> None:
        """Put the frame on the screen."""
        self._live.update(frame, refresh=True)

    def keys(self, within_s: float) -> bytes | None:
        """What was typed within the time; None when the terminal has gone."""
        if not select.select([self._keyboard], [], [], within_s)[0]:
            return b""
        try:
            return os.read(self._keyboard, _PIECE) or None
        except OSError:
            return None


@contextlib.contextmanager
def opened(console: Console, keyboard: int) -> Iterator[Terminal]:
    """The terminal for the view, put back as it was whatever happens meanwhile.

    Ctrl-C comes as a key: as a signal it would also reach `make`, which would call it an error.
    """
    before = termios.tcgetattr(keyboard)
    tty.setcbreak(keyboard, termios.TCSANOW)
    attributes = termios.tcgetattr(keyboard)
    for key in (termios.VINTR, termios.VSUSP):
        attributes[_CC][key] = os.fpathconf(keyboard, "PC_VDISABLE").to_bytes()
    termios.tcsetattr(keyboard, termios.TCSANOW, attributes)
    live = Live(
        console=console,
        screen=True,
        auto_refresh=False,
        redirect_stdout=False,
        redirect_stderr=False,
    )
    try:
        with live:
            yield Terminal(console, live, keyboard)
    finally:
        # The terminal may have been closed, which is one of the ways in which a lab ends.
        with contextlib.suppress(termios.error):
            termios.tcsetattr(keyboard, termios.TCSADRAIN, before)
