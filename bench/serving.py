"""One contestant, running: started on its core, warmed, read from, and stopped."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.contestants import Contestant
from bench.errors import Failure
from bench.machine import cpu_s
from bench.processes import start

LOOPBACK = "127.0.0.1"

_START_S = 20.0
_STOP_S = 10.0
_LOOK_AGAIN_S = 0.005
_GREETING = b"warm\n"

# A port of its own for every server: to the one before there are connections in TIME-WAIT, and
# clients would have to look for free ports among them. (Clients use ports above these.)
_PORTS = range(2_000, 10_000)
_ports = itertools.cycle(random.sample(_PORTS, len(_PORTS)))


@dataclass(frozen=True)
class Server:
    """A contestant that listens."""

    contestant: Contestant
    pid: int
    address: str
    port: int

    def memory(self) -> int:
        """Bytes of resident memory, exactly (what /proc/PID/status says may lag behind)."""
        for line in Path(f"/proc/{self.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Rss:"):
                return int(line.split()[1]) * 1024
        raise Failure(f"{self.contestant.name}: the kernel does not tell its memory")

    def cpu_s(self) -> float:
        """Seconds of CPU that it has taken."""
        return cpu_s(self.pid)


@contextlib.contextmanager
def serving(
    contestant: Contestant, programs: Path, core: int | None = None, address: str = LOOPBACK
) -> Iterator[Server]:
    """Start it on the address, wait until it answers, and stop it in the end.

    Every contestant is warmed by one connection that asks, is answered, and closes: asyncio is
    several times slower before it has freed its first receive buffer. Raises `Failure` with what
    it last said if it does not come to answer.
    """
    port = next(port for port in _ports if _is_free(address, port))
    words = {"address": address, "port": port, "programs": programs}
    command = [word.format(**words) for word in contestant.command]
    with tempfile.TemporaryFile() as log:
        process = start(command, core, subprocess.DEVNULL, log, subprocess.STDOUT)
        try:
            server = Server(contestant, process.pid, address, port)
            _warm(server, process, log.fileno())
            yield server
            if process.poll() is not None:
                raise Failure(f"{contestant.name} ended by itself: {_last_words(log.fileno())}")
        finally:
            _stop(process)


def _is_free(address: str, port: int) -> bool:
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((address, port))
        except OSError:
            return False
    return True


def _warm(server: Server, process: subprocess.Popen[str], log: int) -> None:
    name = server.contestant.name
    deadline = time.monotonic() + _START_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with socket.create_connection((server.address, server.port), _START_S) as client:
                client.sendall(_GREETING)
                answer = client.makefile("rb").readline()
        except ConnectionRefusedError:
            time.sleep(_LOOK_AGAIN_S)
            continue
        except OSError as error:
            raise Failure(f"{name}: the first connection: {error}; {_last_words(log)}") from None
        if answer != _GREETING:
            raise Failure(f"{name} answered {answer!r} to {_GREETING!r}")
        return
    raise Failure(f"{name} does not listen: {_last_words(log)}")


def _stop(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _last_words(log: int) -> str:
    said = os.pread(log, 1 << 16, 0).decode(errors="replace").strip()
    return said.splitlines()[-1] if said else "it said nothing"
