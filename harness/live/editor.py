"""The line that the operator types: keys in, whole lines out. No input or output here."""

from __future__ import annotations

import codecs

_LEFT, _RIGHT, _UP, _DOWN = "[D", "[C", "[A", "[B"
_HOME, _END, _DELETE = ("[H", "OH", "[1~"), ("[F", "OF", "[4~"), "[3~"


class Editor:
    """One line with a cursor and a history, edited with the keys of a shell.

    Backspace, Delete, arrows, Home and End, Ctrl-A and -E, Ctrl-U (all before the cursor), Ctrl-K
    (all behind it), Ctrl-W (a word).
    """

    def __init__(self) -> None:
        self.text = ""
        self.cursor = 0
        self._history: list[str] = []
        self._place = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._escape: str | None = None

    def type(self, data: bytes) -> list[str]:
        """Take what the terminal sent, in whatever pieces; the lines that it completes."""
        lines = []
        for key in self._decoder.decode(data):
            if key == "\x1b":
                self._escape = ""
            elif self._escape is not None:
                self._take_escape(key)
            elif key in "\r\n":
                lines.append(self._enter())
            else:
                self._edit(key)
        return lines

    def _enter(self) -> str:
        line = self.text
        if line.strip() and self._history[-1:] != [line]:
            self._history.append(line)
        self._place = len(self._history)
        self._put("")
        return line

    def _edit(self, key: str) -> None:
        before, behind = self.text[: self.cursor], self.text[self.cursor :]
        if key in "\x7f\x08":
            before = before[:-1]
        elif key == "\x15":
            before = ""
        elif key == "\x0b":
            behind = ""
        elif key == "\x17":
            before = before.rstrip().rpartition(" ")[0]
            before += " " if before else ""
        elif key == "\x01":
            before, behind = "", self.text
        elif key == "\x05":
            before, behind = self.text, ""
        elif key.isprintable():
            before += key
        self.text, self.cursor = before + behind, len(before)

    def _take_escape(self, key: str) -> None:
        """A key that the terminal sends as an escape sequence; unknown ones do nothing."""
        assert self._escape is not None
        self._escape += key
        sequence = self._escape
        if sequence in ("[", "O") or (sequence.startswith("[") and key.isdigit()) or key == ";":
            return
        self._escape = None
        arrow = "[" + sequence[1:] if sequence.startswith("O") else sequence
        if arrow == _LEFT:
            self.cursor = max(0, self.cursor - 1)
        elif arrow == _RIGHT:
            self.cursor = min(len(self.text), self.cursor + 1)
        elif arrow in (_UP, _DOWN):
            self._recall(-1 if arrow == _UP else 1)
        elif sequence in _HOME:
            self.cursor = 0
        elif sequence in _END:
            self.cursor = len(self.text)
        elif sequence == _DELETE:
            self.text = self.text[: self.cursor] + self.text[self.cursor + 1 :]

    def _recall(self, step: int) -> None:
        self._place = max(0, min(len(self._history), self._place + step))
        self._put([*self._history, ""][self._place])

    def _put(self, text: str) -> None:
        self.text, self.cursor = text, len(text)
