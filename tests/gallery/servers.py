"""Starts an inhabitant of the gallery, and looks at it from outside: sockets, descriptors, CPU."""

from __future__ import annotations

import itertools
import os
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from iolab.harness.backends.processes import ports
from iolab.harness.subject.manifest import Subject, load
from tests.waiting import PATIENCE_S, wait_until

GALLERY = Path(__file__).parents[2] / "gallery"
BROKEN = sorted(path for path in GALLERY.glob("*.py") if not path.stem.startswith("_"))
CONTROLS = sorted(path for path in GALLERY.glob("controls/*.py") if not path.stem.startswith("_"))
STATES = {"01": "ESTABLISHED", "05": "FIN-WAIT-2", "08": "CLOSE-WAIT", "0A": "LISTEN"}
_TURNS = itertools.count(ports.first_turn())


@dataclass
class Server:
    """A server that runs, and the address that it listens at."""

    process: subprocess.Popen[bytes]
    host: str
    port: int

    def connect(self, receive_buffer: int | None = None) -> socket.socket:
        sock = socket.socket(socket.AF_INET6 if ":" in self.host else socket.AF_INET)
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.settimeout(PATIENCE_S)
        try:
            sock.connect((self.host, self.port))
        except OSError:
            sock.close()
            raise
        return sock

    def processes(self) -> list[int]:
        """The main process and all below it."""
        found = [self.process.pid]
        for pid in found:
            for task in _listed(Path(f"/proc/{pid}/task")):
                found += map(int, _text(task / "children").split())
        return found

    def sockets(self, pid: int | None = None) -> int:
        """How many descriptors of the process are sockets."""
        count = 0
        for link in _listed(Path(f"/proc/{pid or self.process.pid}/fd")):
            try:
                count += os.readlink(link).startswith("socket:")
            except OSError:
                continue
        return count

    def rows(self, state: str) -> int:
        """How many sockets the kernel has in this state, with the server's port as their own."""
        lines = _text(Path("/proc/net/tcp")).splitlines()[1:]
        lines += _text(Path("/proc/net/tcp6")).splitlines()[1:]
        words = [line.split() for line in lines]
        return sum(w[1].endswith(f":{self.port:04X}") and STATES.get(w[3]) == state for w in words)

    def unsent(self) -> int:
        """Bytes that the kernel has of the server and no client has taken."""
        lines = _text(Path("/proc/net/tcp")).splitlines()[1:]
        words = [line.split() for line in lines]
        mine = [w[4] for w in words if w[1].endswith(f":{self.port:04X}") and w[3] != "0A"]
        return sum(int(queues.partition(":")[0], 16) for queues in mine)

    def cpu_s(self) -> float:
        """Processor time of the main process so far."""
        words = _text(Path(f"/proc/{self.process.pid}/stat")).rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")

    def resident_mib(self) -> float:
        pages = int(_text(Path(f"/proc/{self.process.pid}/statm")).split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    def threads(self) -> int:
        return len(_listed(Path(f"/proc/{self.process.pid}/task")))

    def waits_in(self) -> str:
        """The kernel function that the main thread sleeps in."""
        return _text(Path(f"/proc/{self.process.pid}/wchan"))

    def ended(self, within_s: float = PATIENCE_S) -> int | None:
        """The exit status, or None if it still runs after that time."""
        try:
            return self.process.wait(within_s)
        except subprocess.TimeoutExpired:
            return None


@contextmanager
def running(script: Path, host: str = "127.0.0.1") -> Iterator[Server]:
    """The server as its manifest starts it, at a port of its own, until the block ends."""
    # A free one of the kernel's could be somebody's by the time that the server listens.
    with ports.reserve_any(next(_TURNS)) as reserved:
        server = start(load(script.with_suffix(".toml")), host, reserved.port)
        try:
            yield server
        finally:
            stop(server)


def start(subject: Subject, host: str, port: int) -> Server:
    words = subject.argv(host, port)
    process = subprocess.Popen(
        [sys.executable if words[0] == "python3" else words[0], *words[1:]],
        cwd=subject.files,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    server = Server(process, host, port)
    try:
        wait_until("it listens", lambda: server.rows("LISTEN") > 0 or process.poll() is not None)
        if process.poll() is not None:
            raise AssertionError(f"it ended with status {process.returncode}")
    except BaseException:
        stop(server)
        raise
    return server


def stop(server: Server) -> None:
    with suppress(ProcessLookupError):
        os.killpg(server.process.pid, signal.SIGKILL)
    server.process.wait()
    if server.process.stdout:
        server.process.stdout.close()


def ask(sock: socket.socket, line: bytes) -> bytes:
    """Send a line, and read up to the next newline or the end."""
    sock.sendall(line)
    return read_line(sock)


def read_line(sock: socket.socket) -> bytes:
    reply = bytearray()
    while not reply.endswith(b"\n") and (piece := sock.recv(1)):
        reply += piece
    return bytes(reply)


def read_to_end(sock: socket.socket) -> bytes:
    reply = bytearray()
    while piece := sock.recv(65536):
        reply += piece
    return bytes(reply)


def read_exactly(sock: socket.socket, size: int) -> bytes:
    reply = bytearray()
    while len(reply) < size and (piece := sock.recv(min(65536, size - len(reply)))):
        reply += piece
    return bytes(reply)


def reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _listed(path: Path) -> list[Path]:
    try:
        return list(path.iterdir())
    except OSError:
        return []
