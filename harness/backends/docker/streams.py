"""A pipe to a process in a container, over the engine's hijacked HTTP connection.

The engine answers `101 Switching Protocols` and from then on the connection carries standard input
one way and frames the other: eight bytes (stream, three zeros, length), then that many bytes.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from typing import Any, BinaryIO

from iolab.harness.backends.base import Stream

_HEADER = struct.Struct(">BxxxL")
_STREAMS: dict[int, Stream] = {1: "stdout", 2: "stderr"}


class FramedPipe:
    """Standard streams of one process; reading and writing may be done from two threads."""

    def __init__(self, hijacked: Any) -> None:
        """`hijacked`: what the SDK returns for `exec_start(socket=True)` or `attach_socket`."""
        self._response = hijacked._response
        # The SDK hands out the raw socket; what came in one packet with the HTTP headers sits in
        # the buffer of the reader that parsed them, and only there.
        self._reader: BinaryIO = self._response.raw._fp.fp
        self._socket: socket.socket = self._reader.raw._sock
        self._socket.settimeout(None)
        self._writing = threading.Lock()
        self.closed = False

    def write(self, data: bytes) -> None:
        """Give bytes to the process; BrokenPipeError when it has ended."""
        with self._writing:
            if self.closed:
                raise BrokenPipeError("the process has ended")
            self._socket.sendall(data)

    def close_input(self) -> None:
        """End of its standard input."""
        with self._writing:
            if not self.closed:
                self._socket.shutdown(socket.SHUT_WR)

    def read(self) -> tuple[Stream, bytes]:
        """The next frame; `("stdout", b"")` at the end, and once it was closed."""
        try:
            header = self._reader.read(_HEADER.size)
            if len(header) == _HEADER.size:
                stream, length = _HEADER.unpack(header)
                return _STREAMS[stream], self._reader.read(length)
        except ValueError:  # the reader was closed, by another thread or before
            if not self.closed:
                raise
        self.close()
        return "stdout", b""

    def close(self) -> None:
        """Release the connection, and wake whoever reads; the process sees the end of its input."""
        with self._writing:
            if self.closed:
                return
            self.closed = True
            with contextlib.suppress(OSError):  # the engine may have hung up first
                self._socket.shutdown(socket.SHUT_RDWR)
        # Waits for a reader in another thread, which the shutdown has sent on its way.
        self._response.close()
