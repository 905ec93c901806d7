"""Waiting for what a process or subject says."""

from __future__ import annotations

import threading

from iolab.harness.backends.base import Process
from tests.waiting import PATIENCE_S


class Hearing:
    """Reads a process to its end, in a thread of its own."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.heard = {"stdout": b"", "stderr": b""}
        self.ended = False
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while True:
            stream, data = self.process.read()
            with self._news:
                self.heard[stream] += data
                self.ended = not data
                self._news.notify_all()
            if not data:
                return

    def says(self, text: bytes, within_s: float = PATIENCE_S) -> bool:
        """Whether its standard output comes to hold the text."""
        with self._news:
            self._news.wait_for(lambda: text in self.heard["stdout"] or self.ended, within_s)
            return text in self.heard["stdout"]

    def all(self, within_s: float = 60.0) -> bytes:
        """Its whole standard output; AssertionError when it does not end."""
        with self._news:
            assert self._news.wait_for(lambda: self.ended, within_s), f"goes on: {self.heard}"
            return self.heard["stdout"]
