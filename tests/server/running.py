"""A real server process on a loopback port of its own, its log as data, and its peers."""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Callable
from itertools import count, islice
from pathlib import Path
from threading import Condition, Thread
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
DEADLINE_S = 30.0

Event = dict[str, Any]


class Server:
    """One `python -m server`, ready when constructed.

    Its log is read as it comes, or only the first `log_lines` lines of it.
    """

    def __init__(
        self,
        *flags: str,
        stdin: int = subprocess.DEVNULL,
        log_lines: int | None = None,
        before_exec: Callable[[], None] | None = None,
    ) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "server", "--port", "0", *flags],
            cwd=ROOT,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=before_exec,
        )
        self._events: list[Event] = []
        self._news = Condition()
        self._reader = Thread(target=self._read_log, args=(log_lines,), daemon=True)
        self._reader.start()
        self.port: int = self.event("listening")["port"]
        self._peers: list[socket.socket] = []

    def _read_log(self, lines: int | None) -> None:
        assert self.process.stdout is not None
        for line in islice(self.process.stdout, lines):
            with self._news:
                self._events.append(json.loads(line))
                self._news.notify_all()

    def events(self, name: str) -> list[Event]:
        """All events of that name so far."""
        with self._news:
            return [event for event in self._events if event["event"] == name]

    def event(self, name: str, **fields: object) -> Event:
        """Wait for an event of that name with those fields, and give the first."""

        def found() -> Event | None:
            for event in self._events:
                if event["event"] == name and fields.items() <= event.items():
                    return event
            return None

        with self._news:
            if not self._news.wait_for(found, DEADLINE_S):
                pytest.fail(f"no {name!r} with {fields} in the log, but {self._events[-5:]}")
            event = found()
            assert event is not None
            return event

    def connect(self, host: str = "127.0.0.1", **options: int) -> Peer:
        """A new peer; `receive_buffer` bytes bound what its kernel takes for it."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        self._peers.append(sock)
        if "receive_buffer" in options:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, options["receive_buffer"])
        sock.settimeout(DEADLINE_S)
        sock.connect((host, self.port))
        return Peer(sock)

    def descriptors(self) -> int:
        """How many descriptors the process holds."""
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def descriptors_at_rest(self) -> int:
        """The same when nobody is connected, and the server has begun in earnest."""
        peer = self.connect()
        assert peer.ask(b"begun?") == b"begun?"
        peer.close()
        self.event("closed")
        return self.descriptors()

    def lowest_free_descriptor(self) -> int:
        """The number that the next descriptor will get: the limit at which there is no next."""
        used = {int(name) for name in os.listdir(f"/proc/{self.process.pid}/fd")}
        return next(number for number in count() if number not in used)

    def cpu_s(self) -> float:
        """CPU seconds used so far, by proc(5)."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident(self) -> int:
        """Bytes of resident memory."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and wait for the end; gives the exit status."""
        self.process.send_signal(number)
        return self.process.wait(DEADLINE_S)

    def close(self) -> None:
        """End whatever is left."""
        for sock in self._peers:
            sock.close()
        self.process.kill()
        self.process.wait()
        self._reader.join()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()


class Peer:
    """The other end of a connection, as blunt as a test needs it."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock

    def send(self, data: bytes) -> None:
        """Send all of it."""
        self.socket.sendall(data)

    def read(self, count: int) -> bytes:
        """Exactly so many bytes, or what came before the end."""
        data = bytearray()
        while len(data) < count and (piece := self.socket.recv(min(2**16, count - len(data)))):
            data += piece
        return bytes(data)

    def read_to_eof(self) -> bytes:
        """Everything until the server's FIN."""
        data = bytearray()
        while piece := self.socket.recv(2**16):
            data += piece
        return bytes(data)

    def ask(self, message: bytes) -> bytes:
        """Send a line and read as many bytes back."""
        self.send(message + b"\n")
        return self.read(len(message) + 1).removesuffix(b"\n")

    def half_close(self) -> None:
        """Send a FIN and go on reading."""
        self.socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Send a FIN, or a reset if something is unread."""
        self.socket.close()

    def reset(self) -> None:
        """Send a reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()
