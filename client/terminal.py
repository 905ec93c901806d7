"""A line of typing on a terminal that other output may come into.

The terminal hands over each key at once and shows nothing by itself; what is typed is drawn here.
So a reply that arrives in the middle of typing is shown above, and the line is drawn again below.
"""

import codecs
import os
import termios
import tty
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager

_CLEAR = "\r\x1b[K"
_END_OF_INPUT, _BACKSPACES = "\x04", "\x7f\x08"
_KILL_LINE, _KILL_WORD = "\x15", "\x17"
_UP, _DOWN = ("\x1b[A", "\x1bOA"), ("\x1b[B", "\x1bOB")


@contextmanager
def key_by_key(fd: int) -> Iterator[None]:
    """Let the terminal `fd` hand over each key at once, and put it back afterwards.

    Ctrl-C still interrupts.
    """
    before = termios.tcgetattr(fd)
    tty.setcbreak(fd, termios.TCSADRAIN)  # what was typed ahead is kept
    try:
        yield
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, before)


class Line:
    """The line being typed. `typed` takes bytes from the terminal; what it returns is complete.

    Backspace, Ctrl-U (all), Ctrl-W (a word), up and down (what was typed before), and Ctrl-D on an
    empty line, which is the end of input.
    """

    def __init__(self, prompt: str) -> None:
        self._prompt = prompt
        self._text = ""
        self._history: list[str] = []
        self._place = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._escape = ""
        self.ended = False

    def typed(self, data: bytes) -> list[str]:
        """Take what came from the keyboard; the lines that it completes."""
        lines = []
        for key in self._decoder.decode(data):
            if self._escape or key == "\x1b":
                self._take_escape(key)
            elif key in "\r\n":
                lines.append(self._text)
                if self._text:
                    self._history.append(self._text)
                self._text, self._place = "", len(self._history)
            elif key == _END_OF_INPUT and not self._text:
                self.ended = True
                break
            elif key in _BACKSPACES:
                self._text = self._text[:-1]
            elif key == _KILL_LINE:
                self._text = ""
            elif key == _KILL_WORD:
                head, space, _ = self._text.rstrip().rpartition(" ")
                self._text = head + space
            elif key.isprintable():
                self._text += key
        return lines

    def drawn(self) -> str:
        """What to write so that the terminal's last line shows the prompt and the typing.

        Where it does not fit, its end is shown.
        """
        return _CLEAR + self._prompt + _tail(self._text, _columns() - len(self._prompt) - 1)

    def _take_escape(self, key: str) -> None:
        self._escape += key
        if len(self._escape) > 2 and not key.isdigit() and key != ";":
            step = -1 if self._escape in _UP else 1 if self._escape in _DOWN else 0
            if step:
                self._place = max(0, min(len(self._history), self._place + step))
                self._text = [*self._history, ""][self._place]
            self._escape = ""
        elif len(self._escape) == 2 and key not in "[O":
            self._escape = ""


def above(text: str) -> str:
    """What to write so that `text` stands in place of the line being typed, and stays."""
    return _CLEAR + text + ("" if text.endswith("\n") else "\n")


def _columns() -> int:
    try:
        return os.get_terminal_size().columns or 80
    except OSError:
        return 80


def _tail(text: str, columns: int) -> str:
    """As much of the end of `text` as fits; wide characters take two columns."""
    width = 0
    for place in range(len(text) - 1, -1, -1):
        width += 2 if unicodedata.east_asian_width(text[place]) in "WF" else 1
        if width > columns:
            return text[place + 1 :]
    return text
