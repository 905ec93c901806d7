"""The door of a running lab, through which `make client` comes in from another terminal.

It is a Unix socket with an abstract name: no file that could be left behind, gone with the process
that made it, and listed by the kernel, so a lab is found without any record of it. The name has no
permissions; both sides ask the kernel for the other's user instead.

A visitor is handed one end of a socket pair. What it writes there the prompt's process in the lab
sends to the server, and what the server answers comes back there; the socket that it came in by
carries a greeting and, when all is over, the process's last words.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from iolab.harness.backends.base import BackendError, Process
from iolab.harness.backends.channel import ChannelError
from iolab.harness.live.session import LabFailed, Session, Visit
from iolab.harness.live.words import LAB

_NAME = "iolab.lab.{user}."  # and when it was opened, in nanoseconds since boot
_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid (unix(7))
_LISTENS = "00010000"  # the flag of a listening socket in /proc/net/unix
_PIECE = 1 << 16
_LONGEST_GREETING = 1 << 12


class NoLab(Exception):
    """No lab of this user runs here."""


class Rendezvous:
    """Lets visitors in while it is open; a context manager."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(f"\0{_prefix()}{time.monotonic_ns()}")
        self._listener.listen()

    def __enter__(self) -> Rendezvous:
        self._thread(self._welcome)
        return self

    def __exit__(self, *raised: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)  # which wakes who waits in accept; close does not
        self._listener.close()

    def _welcome(self) -> None:
        while True:
            try:
                visitor, _ = self._listener.accept()
            except OSError:
                return  # the door has been closed
            if _user_of(visitor) == os.getuid():
                self._thread(partial(self._receive, visitor))
            else:
                visitor.close()

    def _receive(self, visitor: socket.socket) -> None:
        with visitor:
            try:
                visit = self._session.receive()
            except (LabFailed, BackendError, OSError) as error:
                visitor.sendall(_line({"error": str(error)}))
                return
            try:
                self._serve(visitor, visit)
            except (OSError, ChannelError):
                pass  # the visitor has gone, or the lab has: either way the visit is over
            finally:
                self._session.end(visit)
                self._session.see_off(visit)

    def _serve(self, visitor: socket.socket, visit: Visit) -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            greeting = _line({"name": visit.name, "server": visit.server})
            socket.send_fds(visitor, [greeting], [theirs.fileno()])
            theirs.close()
            self._thread(lambda: _type(ours, visit.process))
            self._thread(lambda: self._end_with(visitor, visit))
            said = _answer(visit.process, ours)
            ours.shutdown(socket.SHUT_RDWR)
            visitor.sendall(_line({"said": said, "status": visit.process.wait(1.0)}))

    def _end_with(self, visitor: socket.socket, visit: Visit) -> None:
        """A visitor who leaves says nothing more at the door."""
        with contextlib.suppress(OSError):
            visitor.recv(1)
        self._session.end(visit)

    def _thread(self, work: Callable[[], None]) -> None:
        threading.Thread(target=work, name="door", daemon=True).start()


def enter() -> tuple[dict[str, Any], socket.socket, socket.socket]:
    """Go into the newest lab of this user: its greeting, the way to talk, and the door.

    Raises NoLab when there is none, or it does not let anybody in; the words say which.
    """
    for name in sorted(_doors(), key=_opened, reverse=True):
        door = socket.socket(socket.AF_UNIX)
        try:
            door.connect(f"\0{name}")
        except ConnectionRefusedError:
            door.close()  # it has just ended
            continue
        if _user_of(door) != os.getuid():
            door.close()
            continue
        data, (*fds,), _, _ = socket.recv_fds(door, _LONGEST_GREETING, 1)
        if not data:
            raise NoLab("the lab has ended")
        greeting = json.loads(data)
        if "error" in greeting:
            raise NoLab(greeting["error"])
        return greeting, socket.socket(fileno=fds[0]), door
    raise NoLab(f"no lab of yours is running here: start one with `{LAB}` in another terminal")


def last_words(door: socket.socket) -> dict[str, Any]:
    """What the prompt's process in the lab said at its end; empty when the lab ended first."""
    with contextlib.suppress(ConnectionResetError):
        with door.makefile("rb") as lines:
            line = lines.readline()
        if line:
            words = json.loads(line)
            assert isinstance(words, dict)
            return words
    return {}


def _doors() -> Iterator[str]:
    """The names of the doors of this user's labs."""
    for line in Path("/proc/net/unix").read_text(errors="replace").splitlines()[1:]:
        fields = line.split()
        if len(fields) == 8 and fields[3] == _LISTENS and fields[7].startswith(f"@{_prefix()}"):
            yield fields[7][1:]


def _opened(name: str) -> int:
    return int(name.removeprefix(_prefix()))


def _prefix() -> str:
    return _NAME.format(user=os.getuid())


def _user_of(peer: socket.socket) -> int:
    data = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return int(_CREDENTIALS.unpack(data)[1])


def _type(ours: socket.socket, process: Process) -> None:
    """What the visitor writes goes to the prompt's process."""
    with contextlib.suppress(OSError):  # one of the two is gone, which the others will see
        while data := ours.recv(_PIECE):
            process.write(data)
        process.close_input()


def _answer(process: Process, ours: socket.socket) -> str:
    """What the process prints goes to the visitor; its standard error, in the end."""
    said = bytearray()
    while True:
        stream, data = process.read()
        if not data:
            return said.decode("utf-8", "backslashreplace").strip()
        if stream == "stderr":
            said += data
        else:
            ours.sendall(data)


def _line(record: dict[str, Any]) -> bytes:
    return json.dumps(record).encode() + b"\n"
