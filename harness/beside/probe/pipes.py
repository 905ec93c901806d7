"""The probe's ends of the pipes to a process that it spawned. Neither ever blocks the loop."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable

from iolab.harness.beside.loop import READ, WRITE, Loop
from iolab.harness.beside.ops import Reply, RequestError

_PIECE = 1 << 16
_LAST_PIECES = 64


class Input:
    """Writes to a pipe what it is given, in order, as fast as the other side reads."""

    def __init__(self, loop: Loop, descriptor: int) -> None:
        os.set_blocking(descriptor, False)
        self._loop = loop
        self._descriptor = descriptor
        self._queue: deque[tuple[memoryview, Reply]] = deque()
        self._last = False
        self._closed: str | None = None
        self._registered = False

    def write(self, data: bytes, *, last: bool) -> Reply:
        """Answered once the pipe has taken all of it; closed behind it if it is the last.

        RequestError, now or in the reply, when the other side has ended or closed its input.
        """
        if self._closed or self._last:
            raise RequestError(f"the process {self._closed or 'was told that its input has ended'}")
        reply = Reply()
        self._queue.append((memoryview(data), reply))
        self._last = last
        self._loop.register(self._descriptor, WRITE, self._write)
        self._registered = True
        return reply

    def close(self, why: str) -> None:
        """Close it, unless it is closed; what was not written fails, saying `the process {why}`."""
        if self._closed:
            return
        self._closed = why
        self._rest()
        os.close(self._descriptor)
        while self._queue:
            self._queue.popleft()[1].fail(RequestError(f"the process {why}"))

    def _write(self, ready: int) -> None:
        try:
            while self._queue:
                data, reply = self._queue[0]
                written = os.write(self._descriptor, data)
                if written < len(data):
                    self._queue[0] = (data[written:], reply)
                    return
                self._queue.popleft()
                reply({})
        except BlockingIOError:
            return
        except BrokenPipeError:
            self.close("has closed its input")
            return
        if self._last:
            self.close("was told that its input has ended")
        else:
            self._rest()

    def _rest(self) -> None:
        if self._registered:
            self._loop.unregister(self._descriptor)
            self._registered = False


class Output:
    """Reads a pipe to its end and delivers the pieces; can be held, so that the pipe fills."""

    def __init__(self, loop: Loop, descriptor: int, deliver: Callable[[bytes], None]) -> None:
        os.set_blocking(descriptor, False)
        self._loop = loop
        self._descriptor = descriptor
        self._deliver = deliver
        self._held = True
        self._ended = False
        self.hold(False)

    def hold(self, hold: bool) -> None:
        """Stop reading, or go on."""
        if hold == self._held or self._ended:
            return
        self._held = hold
        if hold:
            self._loop.unregister(self._descriptor)
        else:
            self._loop.register(self._descriptor, READ, self._ready)

    def drain(self) -> None:
        """Deliver what has been written so far, unless held.

        There is an end to it even if somebody goes on writing.
        """
        for _ in range(_LAST_PIECES):
            if self._held or self._ended or not self._read():
                return

    def _ready(self, ready: int) -> None:
        self._read()

    def _read(self) -> bool:
        try:
            piece = os.read(self._descriptor, _PIECE)
        except BlockingIOError:
            return False
        if not piece:
            self.hold(True)
            self._ended = True
            os.close(self._descriptor)
            return False
        self._deliver(piece)
        return True
