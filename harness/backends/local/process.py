"""The harness's end of a process that an init has started (see `init.py`)."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import socket
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from signal import SIGKILL, Signals, pidfd_send_signal

from iolab.harness.backends.base import BackendError, Process, Stream
from iolab.harness.backends.local import messages
from iolab.harness.places import ROOT

# So much can be said to a process that is stopped before its harness has to wait.
_INPUT_BYTES = 1 << 18
_PIECE = 1 << 16
_SEEN_WITHIN_S = 10.0
# Between two looks at a process's state, for which the kernel offers nothing to wait on.
_LOOK_AGAIN_S = 0.001

_STOPPED, _DEAD = "T", "ZX"


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Our own environment, in which `python3` is the interpreter that runs the harness."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    return {**os.environ, "PATH": path, **(extra or {})}


class LocalProcess(Process):
    """Three pipes, and the status socket by which its init tells how it ends."""

    def __init__(
        self, init: socket.socket, argv: Sequence[str], env: Mapping[str, str] | None
    ) -> None:
        """Let the init at the other end of that socket start it, in our own folder.

        BrokenPipeError when the init is gone, BackendError when it cannot.
        """
        program = sys.executable if argv[0] == "python3" else argv[0]
        (stdin, write), (read_out, stdout), (read_err, stderr) = (os.pipe() for _ in range(3))
        with contextlib.suppress(PermissionError):  # the user has too many pages in pipes already
            fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, _INPUT_BYTES)
        self._pidfd: int | None = None
        self._stdin: int | None = write
        self._writing = threading.Lock()
        self._open: dict[int, Stream] = {read_out: "stdout", read_err: "stderr"}
        self._status, status = messages.pair()
        self._receiving = threading.Lock()
        self._exit: int | None = None
        request = {"argv": [program, *argv[1:]], "env": environment(env), "cwd": str(ROOT)}
        try:
            try:
                with status:
                    messages.send(init, request, [stdin, stdout, stderr, status.fileno()])
            finally:
                for fd in (stdin, stdout, stderr):
                    os.close(fd)
            started = messages.receive(self._status)
            if started is None:
                raise BrokenPipeError("the node ended before it could start the process")
            if "refused" in started[0]:
                raise BackendError(started[0]["refused"])
            (self._pidfd,) = started[1]
        except BaseException:
            self.release()
            raise

    def write(self, data: bytes) -> None:
        with self._writing:
            view = memoryview(data)
            while view:
                if self._stdin is None:
                    raise BrokenPipeError("its standard input was closed")
                view = view[os.write(self._stdin, view) :]

    def close_input(self) -> None:
        with self._writing:
            if self._stdin is not None:
                os.close(self._stdin)
                self._stdin = None

    def read(self) -> tuple[Stream, bytes]:
        poll = select.poll()
        for fd in self._open:
            poll.register(fd, select.POLLIN)
        while self._open:
            for fd, _ in poll.poll():
                data = os.read(fd, _PIECE)
                if data:
                    return self._open[fd], data
                poll.unregister(fd)
                os.close(fd)
                del self._open[fd]
        return "stdout", b""

    def wait(self, within_s: float) -> int | None:
        if self._exit is None and _readable(self._status.fileno(), within_s):
            with self._receiving:
                if self._exit is None:
                    said = messages.receive(self._status)
                    # Without a word, its init was killed, and the kernel killed it too.
                    self._exit = -SIGKILL if said is None else int(said[0]["exit"])
        return self._exit

    def signal(self, signal: str) -> None:
        number = _number(signal)
        if self.wait(0.0) is not None or self._pidfd is None:
            raise ProcessLookupError(f"{signal}: the process has ended")
        pidfd_send_signal(self._pidfd, number)
        if signal == "SIGKILL":
            if self.wait(_SEEN_WITHIN_S) is None:
                raise BackendError(f"SIGKILL: not seen dead within {_SEEN_WITHIN_S:g} s")
        elif signal in ("SIGSTOP", "SIGCONT"):
            self._see(signal)

    def _see(self, signal: str) -> None:
        """Wait until every thread is stopped, or none is."""
        deadline = time.monotonic() + _SEEN_WITHIN_S
        while True:
            states = self._states()
            if not states or set(states) <= set(_DEAD):
                raise ProcessLookupError(f"{signal}: the process has ended")
            stopped = [state == _STOPPED for state in states]
            if all(stopped) if signal == "SIGSTOP" else not any(stopped):
                return
            if time.monotonic() > deadline:
                raise BackendError(f"{signal}: not seen within {_SEEN_WITHIN_S:g} s: {states}")
            time.sleep(_LOOK_AGAIN_S)

    def _states(self) -> str:
        """The state of each of its threads, a letter each as in /proc; empty when it is gone."""
        states = ""
        try:
            for thread in Path(f"/proc/{self._pid()}/task").iterdir():
                states += (thread / "stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return ""
        return states

    def _pid(self) -> int:
        """Its PID as we see it, which is not the one that its node sees; -1 when it was reaped."""
        for line in Path(f"/proc/self/fdinfo/{self._pidfd}").read_text().splitlines():
            if line.startswith("Pid:"):
                return int(line.split()[1])
        raise OSError("the kernel does not tell the PID behind a pidfd")

    def release(self) -> None:
        """Its node has ended, and it with it: keep the status, and let go of the rest."""
        if self.wait(0.0) is None:
            self._exit = -SIGKILL
        self._status.close()
        self.close_input()
        if self._pidfd is not None:
            os.close(self._pidfd)
            self._pidfd = None

    def __del__(self) -> None:
        # Whoever reads its output closes that at the end. These are for what nobody has read.
        for fd in self._open:
            os.close(fd)


def _number(name: str) -> Signals:
    try:
        return Signals[name]
    except KeyError:
        raise ValueError(f"{name!r} is not the name of a signal") from None


def _readable(fd: int, within_s: float) -> bool:
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(within_s * 1000))
