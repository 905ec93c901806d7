"""The interactive client: what is typed is sent, what comes is shown when it comes.

One loop waits for the keyboard and the socket at once, so nobody waits for anybody. On a terminal
there is a prompt; through pipes, bytes go in and out as they are.
"""

import codecs
import errno
import os
import select
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from .failure import from_error
from .terminal import Line, above, key_by_key

_PROMPT = ">>> "
_REPLY = "<<< "
_CHUNK = 64 * 1024
_CONNECT_S = 10.0


class Prompt:
    """A person on one side, a connected socket on the other."""

    def __init__(self, sock: socket.socket, source: int, sink: int) -> None:
        self._sock = sock
        self._source: int | None = source
        self._sink = sink
        self._line = Line(_PROMPT) if os.isatty(source) and os.isatty(sink) else None
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._unsent = bytearray()
        self._half_closed = False

    def run(self) -> int:
        """Talk until one side has ended; the exit status: 1 if the connection broke."""
        self._sock.setblocking(False)
        with ExitStack() as stack:
            woken = stack.enter_context(_woken_by_signals())
            if self._line is not None and self._source is not None:
                stack.enter_context(key_by_key(self._source))
            try:
                self._draw()
                while True:
                    if not self._turn(woken):
                        return 0
            except OSError as error:
                self._tell(from_error(error, "the socket").detail)
                return 1
            except KeyboardInterrupt:
                if self._line is not None:
                    self._write("\n")
                return 0

    def _turn(self, woken: socket.socket) -> bool:
        """Wait for something and deal with it; False when the server has ended."""
        wanted: list[int | socket.socket] = [self._sock, woken]
        if self._source is not None and len(self._unsent) < _CHUNK:
            wanted.append(self._source)
        ready, writable, _ = select.select(wanted, [self._sock] if self._unsent else [], [])
        if writable:
            self._send()
        if self._source in ready:
            self._from_keyboard()
        return self._sock not in ready or self._from_server()

    def _from_keyboard(self) -> None:
        assert self._source is not None
        data = os.read(self._source, _CHUNK)
        ended = not data
        if self._line is not None:
            lines = self._line.typed(data)
            ended = ended or self._line.ended
            for line in lines:
                self._write(above(_PROMPT + line))
                self._unsent += line.encode() + b"\n"
            self._draw()
        else:
            self._unsent += data
        if ended:
            self._source = None
        if self._unsent or ended:
            self._send()

    def _send(self) -> None:
        try:
            while self._unsent:
                del self._unsent[: self._sock.send(self._unsent)]
        except BlockingIOError:
            return
        if self._source is None and not self._half_closed:
            self._half_closed = True
            try:
                self._sock.shutdown(socket.SHUT_WR)
            except OSError as error:
                # Reset meanwhile; why is what the next read says.
                if error.errno != errno.ENOTCONN:
                    raise
            if self._line is not None:
                self._line = None
                self._write(above("(you have ended; waiting for the rest, Ctrl-C leaves)"))

    def _from_server(self) -> bool:
        try:
            data = self._sock.recv(_CHUNK)
        except BlockingIOError:
            return True
        if not data:
            if not self._half_closed:
                self._tell("the server has ended the connection")
            return False
        if not os.isatty(self._sink):
            _write_all(self._sink, data)
            return True
        text = self._decoder.decode(data)
        if text:
            shown = _REPLY + text.removesuffix("\n").replace("\n", "\n" + _REPLY)
            self._write(above(shown))
            self._draw()
        return True

    def _draw(self) -> None:
        if self._line is not None:
            self._write(self._line.drawn())

    def _tell(self, words: str) -> None:
        if self._line is not None:
            self._write(above(words))
        else:
            print(words, file=sys.stderr)

    def _write(self, text: str) -> None:
        _write_all(self._sink, text.encode())


def main(host: str, port: int, bind: str | None = None) -> int:
    """Connect (from the address `bind`) and talk; the exit status: 1 if that failed, or broke."""
    own = None if bind is None else (bind, 0)
    try:
        sock = socket.create_connection((host, port), _CONNECT_S, own)
    except socket.gaierror as error:
        print(f"{host}: {error.strerror}", file=sys.stderr)
        return 1
    except TimeoutError:
        print(f"{host} port {port}: no answer within {_CONNECT_S:g} s", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"{host} port {port}: {from_error(error, 'connect').detail}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0
    with sock:
        return Prompt(sock, sys.stdin.fileno(), sys.stdout.fileno()).run()


@contextmanager
def _woken_by_signals() -> Iterator[socket.socket]:
    """A socket that a signal makes readable: one just before `select` would not end the wait."""
    own, other = socket.socketpair()
    with own, other:
        other.setblocking(False)
        before = signal.set_wakeup_fd(other.fileno())
        try:
            yield own
        finally:
            signal.set_wakeup_fd(before)


def _write_all(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]
