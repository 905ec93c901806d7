"""The harness's end of a keeper (see `inside/keeper.py`): programs run without an exec for each."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Mapping, Sequence
from signal import SIGKILL

from docker import DockerClient
from docker.models.containers import Container

from iolab.harness.backends.base import Process, Stream
from iolab.harness.backends.docker.inside import source
from iolab.harness.backends.docker.processes import ExecProcess

END = b"\4"
ENDED_WITHIN_S = 5.0

# What is run by a fork, and the modules that it needs.
WARM: Mapping[tuple[str, ...], tuple[str, ...]] = {
    ("python3", "-m", "iolab.client", "agent"): ("iolab.client.__main__", "iolab.client.agent"),
    ("python3", "-m", "iolab.harness.beside.probe"): ("iolab.harness.beside.probe.__main__",),
}


class Keeper:
    """One interpreter in one container, which runs a program at a time."""

    def __init__(self, client: DockerClient, container: Container, argv: Sequence[str]) -> None:
        """Start it, with the modules imported that the program `argv` needs."""
        keeper = ("python3", "-c", source("keeper"), *WARM[tuple(argv)])
        self.process = ExecProcess(client, container, keeper)
        self._last: KeptProcess | None = None

    @property
    def free(self) -> bool:
        """Whether it can run another program: the last one was seen to end, and it lives."""
        return self._last is None or (self._last.ended.is_set() and not self.process.pipe.closed)

    def run(self, argv: Sequence[str], env: Mapping[str, str] | None = None) -> KeptProcess:
        """Start a program of WARM."""
        _, _, module, *arguments = argv
        return self._begin({"module": module, "arguments": arguments, "env": dict(env or {})})

    def run_inside(self, name: str, arguments: Sequence[str]) -> KeptProcess:
        """Start a program of the folder `inside`."""
        return self._begin({"code": source(name), "arguments": list(arguments), "env": {}})

    def _begin(self, request: Mapping[str, object]) -> KeptProcess:
        self.process.write(json.dumps(request).encode() + b"\n")
        self._last = KeptProcess(self.process)
        return self._last


class KeptProcess(Process):
    """A fork of a keeper; it ends by itself or at the end of its input."""

    def __init__(self, keeper: ExecProcess) -> None:
        self.ended = threading.Event()
        self._keeper = keeper
        self._reading = threading.Lock()
        self._writing = threading.Lock()
        self._input_ended = False
        self._last_words: dict[Stream, bytes] = {"stdout": b"", "stderr": b""}
        self._status: int | None = None

    def write(self, data: bytes) -> None:
        with self._writing:
            if self._input_ended:
                raise BrokenPipeError("the process has ended")
            self._keeper.write(data)

    def close_input(self) -> None:
        with self._writing:
            if not self._input_ended:
                self._input_ended = True
                self._keeper.write(END)

    def read(self) -> tuple[Stream, bytes]:
        with self._reading:
            while not self.ended.is_set():
                stream, data = self._keeper.read()
                if not data:  # the keeper itself has ended, or was let go: its forks end with it
                    self._end(-SIGKILL)
                elif data := self._take(stream, data):
                    return stream, data
        return "stdout", b""

    def _take(self, stream: Stream, data: bytes) -> bytes:
        """What is the program's own of this piece; the rest is the keeper's line, or part of it."""
        data, end, line = (self._last_words[stream] + data).partition(END)
        self._last_words[stream] = end + line
        if all(words.endswith(b"\n") for words in self._last_words.values()):
            self.close_input()  # the keeper drops what it had no time to take
            self._end(int(line))
        return data

    def _end(self, status: int) -> None:
        self._status = status
        self.ended.set()

    def output(self) -> str:
        """All that it still prints, to either stream, after the end of its input."""
        self.close_input()
        pieces = iter(lambda: self.read()[1], b"")
        return b"".join(pieces).decode("utf-8", "backslashreplace")

    def wait(self, within_s: float) -> int | None:
        self.ended.wait(within_s)
        return self._status

    def signal(self, signal: str) -> None:
        if self.ended.is_set():
            raise ProcessLookupError(f"{signal}: the process has ended")
        self._keeper.signal(signal, "child")

    def end(self) -> None:
        """Let it end by the end of its input, and its keeper too if it does not."""
        with contextlib.suppress(OSError):
            self.close_input()
        reader = threading.Thread(target=self.output, name="last output", daemon=True)
        reader.start()
        if not self.ended.wait(ENDED_WITHIN_S):
            self._keeper.pipe.close()
        reader.join()
