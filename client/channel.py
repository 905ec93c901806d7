"""NDJSON over two descriptors (standard input and output), waiting for neither.

A reader that is slow, or has stopped, holds up nothing: what it does not take is kept.
"""

import json
import os
from collections.abc import Callable

from .loop import Loop

LONGEST = 16 * 1024 * 1024
"""The longest line of docs/protocol.md, in bytes."""

_CHUNK = 256 * 1024


class Channel:
    """Lines in and out. `on_line` gets each line's bytes; `on_end` is called once, at the end of
    input, or when nobody reads the output any more."""

    def __init__(
        self,
        loop: Loop,
        source: int,
        sink: int,
        on_line: Callable[[bytes], None],
        on_end: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._source = source
        self._sink = sink
        self._on_line = on_line
        self._on_end = on_end
        self._input = bytearray()
        self._output = bytearray()
        self._stuck = False
        self._blocking = {fd: os.get_blocking(fd) for fd in (source, sink)}
        for fd in self._blocking:
            os.set_blocking(fd, False)
        self._watched(sink, self._on_writable)
        if not self._watched(source, self._on_readable):
            loop.soon(self._read_file)

    def write(self, message: dict[str, object]) -> None:
        """Send one object as a line."""
        self._output += json.dumps(message, separators=(",", ":")).encode() + b"\n"
        if not self._stuck:
            self._flush()

    def close(self) -> None:
        """Leave the descriptors as they were found; what is still unsent is lost."""
        for fd, blocking in self._blocking.items():
            self._loop.forget(fd)
            os.set_blocking(fd, blocking)

    def _watched(self, fd: int, handler: Callable[[int], None]) -> bool:
        try:
            self._loop.register(fd, handler)
        except PermissionError:  # a file: always ready, and epoll does not take it
            return False
        return True

    def _read_file(self) -> None:
        self._on_readable(0)

    def _on_readable(self, _mask: int) -> None:
        try:
            while True:
                data = os.read(self._source, _CHUNK)
                if not data:
                    self._loop.forget(self._source)
                    self._on_end()
                    return
                self._input += data
                if b"\n" in data or len(self._input) > LONGEST:
                    self._split()
        except BlockingIOError:
            return

    def _split(self) -> None:
        *lines, rest = self._input.split(b"\n")
        self._input = rest
        for line in lines:
            self._on_line(bytes(line))
        if len(rest) > LONGEST:
            self._on_line(bytes(rest))
            self._input = bytearray()

    def _on_writable(self, _mask: int) -> None:
        self._stuck = False
        self._flush()

    def _flush(self) -> None:
        output = self._output
        try:
            while output:
                del output[: os.write(self._sink, memoryview(output)[:_CHUNK])]
        except BlockingIOError:
            self._stuck = True
        except OSError:  # nobody reads any more
            self._loop.forget(self._sink)
            output.clear()
            self._on_end()
