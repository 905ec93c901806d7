"""One TCP connection of a player: a non-blocking socket, what waits to be sent, what is owed.

It reads and writes when the loop says so and records what happened; it decides nothing. After
each edge it calls `wake`, and the player looks at the records. The socket is registered
edge-triggered (see client.loop): `_readable` remembers an edge that was not yet read to the end.
"""

import errno
import select
import socket
import struct
import time
from collections.abc import Callable

from . import failure
from .failure import Failed, Failure
from .fields import Address
from .loop import Loop
from .payload import SLICE, Source
from .replies import Replies

_CHUNK = 64 * 1024
_CHUNKS = 4  # at most so many at once, so that one fast peer does not hold up the others
_INCOMING = select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR
_TROUBLE = select.EPOLLHUP | select.EPOLLERR
_ENDING = select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR
_NO_LINGER = struct.pack("ii", 1, 0)

# Linux: do not reserve a port before connect, which chooses one that is free for this target. Not
# in the socket module before Python 3.12.
_IP_BIND_ADDRESS_NO_PORT = 24


class _Parcel:
    """A source on its way out."""

    __slots__ = ("at", "end", "flags", "source")

    def __init__(self, source: Source, at: int, end: int, flags: int) -> None:
        self.source = source
        self.at = at
        self.end = end
        self.flags = flags


class Connection:
    """A connection from the moment it is attempted.

    `wrong` is the first reply that was not what was owed, `broken` the error that ended the
    connection (a reset among others), `eof_at` and `reset_at` the times at which the peer ended
    it; times are seconds of time.monotonic. `sent` and `received` count bytes, `messages` the
    newlines sent. `unsent` holds what waits to be handed to the kernel.
    """

    __slots__ = (
        "_connecting",
        "_ending",
        "_loop",
        "_readable",
        "_wake",
        "broken",
        "eof_at",
        "local",
        "messages",
        "moved_at",
        "opened_at",
        "peer",
        "reading",
        "received",
        "replies",
        "reset_at",
        "sent",
        "sock",
        "unsent",
        "wrong",
    )

    def __init__(self, loop: Loop, wake: Callable[[], None], replies: Replies) -> None:
        self._loop = loop
        self._wake = wake
        self.unsent: list[_Parcel] = []
        self._readable = False
        self._connecting = True
        self.replies = replies
        self.reading = True
        self.sock: socket.socket | None = None
        self.local: Address | None = None
        self.peer: Address | None = None
        self.opened_at: float | None = None
        self.eof_at: float | None = None
        self.reset_at: float | None = None
        self.moved_at = 0.0
        self._ending = False
        self.wrong: Failure | None = None
        self.broken: Failure | None = None
        self.sent = 0
        self.received = 0
        self.messages = 0

    def open(
        self,
        target: Address,
        bind: Address | None,
        receive_buffer: int | None,
        send_buffer: int | None,
        max_segment: int | None,
    ) -> None:
        """Begin to connect. What goes wrong at once is in `broken`."""
        during = "socket"
        family = socket.AF_INET6 if ":" in target[0] else socket.AF_INET
        try:
            sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
            self.sock = sock
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if receive_buffer is not None:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            if send_buffer is not None:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
            if max_segment is not None:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, max_segment)
            if bind is not None:
                during = "bind"
                if bind[1]:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                else:
                    sock.setsockopt(socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
                sock.bind(bind)
            during = "connect"
            number = sock.connect_ex(target)
            if number not in (0, errno.EINPROGRESS):
                self.broken = failure.from_errno(number, during)
                return
            self._loop.register(sock.fileno(), self._on_connecting)
        except OSError as error:
            self.broken = failure.from_error(error, during)

    @property
    def connecting(self) -> bool:
        """Whether the handshake is still under way."""
        return self._connecting

    def check(self) -> None:
        """Raise Failed with what has gone wrong with the replies or the connection."""
        trouble = self.wrong or self.broken
        if trouble is not None:
            raise Failed(trouble)

    def ended_early(self) -> Failed:
        """The failure that the peer's end means while something is owed."""
        return Failed(Failure("eof", f"the peer ended the connection: {self.replies.missing()}"))

    def late(self, within_s: float) -> Failed:
        """The failure that `within_s` has passed while something is owed."""
        return Failed(Failure("late", f"not within {within_s:g} s: {self.replies.missing()}"))

    def unended(self, within_s: float) -> Failed:
        """The failure that all that was owed came, and the end of the connection did not."""
        came = self.replies.missing()
        return Failed(Failure("unended", f"no end within {within_s:g} s: {came}"))

    def listen(self) -> None:
        """Read from now on whatever comes."""
        self.reading = True
        if self._readable:
            self._read(_ENDING)

    def send(self, source: Source, at: int = 0, end: int | None = None, flags: int = 0) -> None:
        """Send the bytes of `source` from `at` to before `end`, now as many as the kernel takes."""
        size = (source.length if end is None else end) - at
        more = False
        if not self.unsent:
            data = source.slice(at, size) if size <= SLICE else source.slice(at, SLICE)
            count = self._write(data, flags)
            if count == size or self.broken is not None:
                return
            more = count == len(data)
            at += count
            size -= count
        self.unsent.append(_Parcel(source, at, at + size, flags))
        if more:
            self._flush()

    def withdraw(self, stride: int) -> int:
        """Keep unsent only what completes a message of `stride` bytes; bytes withdrawn."""
        withdrawn = 0
        for parcel in self.unsent:
            end = min(parcel.end, -(-parcel.at // stride) * stride)
            withdrawn += parcel.end - end
            parcel.end = end
        self.unsent = [parcel for parcel in self.unsent if parcel.at < parcel.end]
        return withdrawn

    def read(self, limit: int) -> None:
        """Read once, at most `limit` bytes."""
        if self._readable:
            self._read(_ENDING, min(limit, _CHUNK), 1)

    def half_close(self) -> None:
        """End the own side, behind the last byte that the kernel has not taken yet."""
        assert self.sock is not None
        if self.unsent:
            self._ending = True
            return
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError as error:
            self._break(failure.from_error(error, "shutdown"))

    def close(self, reset: bool = False) -> None:
        """Give the socket back: in an orderly way, or by a reset."""
        sock = self.sock
        if sock is None:
            return
        self.sock = None
        self._wake = _nobody  # who holds its report no longer holds the player
        self.unsent.clear()
        self._loop.forget(sock.fileno())
        if reset:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        sock.close()

    def _on_connecting(self, mask: int) -> None:
        sock = self.sock
        assert sock is not None
        number = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number:
            self._connecting = False
            self.broken = failure.from_errno(number, "connect")
        else:
            try:
                self.peer = sock.getpeername()[:2]
            except OSError:  # an edge of another socket that had this descriptor before
                return
            self.local = sock.getsockname()[:2]
            self._connecting = False
            self.opened_at = time.monotonic()
            self._loop.switch(sock.fileno(), self._on_ready)
            if mask & _INCOMING:
                self._on_ready(mask)
                return
        self._wake()

    def _on_ready(self, mask: int) -> None:
        if mask & _INCOMING:
            if self.reading and self.eof_at is None:
                self._read(mask)
            else:
                self._readable = True
                if mask & _TROUBLE:
                    self._examine()
        if self.unsent and mask & select.EPOLLOUT:
            self._flush()
        self._wake()

    def _read(self, mask: int, chunk: int = _CHUNK, times: int = _CHUNKS) -> None:
        """Read until the kernel has no more, at most `times` times `chunk` bytes.

        A short read means that no more had come. That the end had come with it is seen from
        `mask`; an end that comes later has an edge of its own.
        """
        sock = self.sock
        if sock is None or self.eof_at is not None:
            return
        self._readable = False
        try:
            while times:
                times -= 1
                data = sock.recv(chunk)
                size = len(data)
                if not size:
                    if self.broken is None:
                        self.eof_at = time.monotonic()
                    return
                self.received += size
                if self.wrong is None:
                    self.wrong = self.replies.take(data)
                if size < chunk and not mask & _ENDING:
                    return
        except BlockingIOError:
            return
        except OSError as error:
            self._break(failure.from_error(error, "recv"))
            return
        self._readable = True
        if self.reading:
            self._loop.soon(self._read_on)

    def _read_on(self) -> None:
        if self.reading and self._readable:
            self._read(_ENDING)
            self._wake()

    def _flush(self) -> None:
        unsent = self.unsent
        for _ in range(_CHUNKS):
            if not unsent:
                if self._ending and self.sock is not None:
                    self._ending = False
                    self.half_close()
                return
            parcel = unsent[0]
            data = parcel.source.slice(parcel.at, min(parcel.end - parcel.at, SLICE))
            count = self._write(data, parcel.flags)
            parcel.at += count
            self.moved_at = time.monotonic()
            if count < len(data):
                return
            if parcel.at == parcel.end:
                unsent.pop(0)
        self._loop.soon(self._flush_on)

    def _flush_on(self) -> None:
        if self.unsent or self._ending:
            self._flush()
            self._wake()

    def _write(self, data: bytes, flags: int) -> int:
        """Hand bytes to the kernel; how many it took."""
        sock = self.sock
        if sock is None:
            return 0
        try:
            count = sock.send(data, flags)
        except BlockingIOError:
            return 0
        except OSError as error:
            self.unsent.clear()
            # What came before the break is still there to be read, and it was said.
            self._break(failure.from_error(error, "send"))
            if self.reading:
                self._read(_ENDING)
            return 0
        self.sent += count
        self.messages += (data if count == len(data) else data[:count]).count(b"\n")
        return count

    def _examine(self) -> None:
        """Learn of a reset while nobody reads, or behind the peer's end."""
        if self.sock is not None:
            number = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if number:
                self._break(failure.from_errno(number, "the socket's error"))

    def _break(self, trouble: Failure) -> None:
        if self.broken is None:
            self.broken = trouble
        # A reset behind the peer's end is told as EPIPE (Linux, tcp_reset), and nothing else is
        # here: scripts do not send once they have ended their own side.
        if trouble.kind in ("reset", "broken-pipe") and self.reset_at is None:
            self.reset_at = time.monotonic()


def _nobody() -> None:
    """Nobody is to be woken."""
