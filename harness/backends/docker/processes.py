"""Processes in containers: started by exec, or the container's own first process."""

from __future__ import annotations

import secrets
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

from docker import DockerClient
from docker.models.containers import Container
from tenacity import RetryCallState, Retrying, retry_if_result, stop_after_delay, wait_exponential

from iolab.harness.backends.base import Process, Stream, SubjectProcess
from iolab.harness.backends.docker.engine import EngineError, explained
from iolab.harness.backends.docker.inside import program
from iolab.harness.backends.docker.streams import FramedPipe

# Marks a process in its environment: the engine tells its pid only as its own host counts.
_MARK = "IOLAB_PROCESS"


STARTED_WITHIN_S = 5.0


class Piped(ABC):
    """A process whose streams go through the engine."""

    pipe: FramedPipe

    def write(self, data: bytes) -> None:
        self.pipe.write(data)

    def close_input(self) -> None:
        self.pipe.close_input()

    def read(self) -> tuple[Stream, bytes]:
        return self.pipe.read()

    def wait(self, within_s: float) -> int | None:
        def gave_up(state: RetryCallState) -> None:
            return None

        return Retrying(
            retry=retry_if_result(lambda status: status is None),
            stop=stop_after_delay(within_s),
            wait=wait_exponential(multiplier=0.002, max=0.05),
            retry_error_callback=gave_up,
        )(self.status)

    @abstractmethod
    def status(self) -> int | None:
        """The exit status now, or None while it runs."""


class ExecProcess(Piped, Process):
    """A process started by exec in a running container."""

    def __init__(
        self,
        client: DockerClient,
        container: Container,
        argv: Sequence[str],
        env: Mapping[str, str] | None = None,
        user: str = "",
    ) -> None:
        self._api = client.api
        self._client = client
        self._container = container
        self._mark = secrets.token_hex(8)
        with explained(f"{argv[0]} in {container.name}"):
            self.id = self._api.exec_create(
                container.id,
                list(argv),
                stdin=True,
                user=user,
                environment={**(env or {}), _MARK: self._mark},
            )["Id"]
            self.pipe = FramedPipe(self._api.exec_start(self.id, socket=True))

    def signal(self, signal: str, *whose: str) -> None:
        """As in the contract; `whose` may be "child", for the child of a keeper."""
        helper = (*program("send_signal"), f"{_MARK}={self._mark}", signal, *whose)
        deadline = time.monotonic() + STARTED_WITHIN_S
        said = ExecProcess(self._client, self._container, helper).output().strip()
        # The engine says that it runs before it has become the program that bears the mark.
        while said == "gone" and self.status() is None and time.monotonic() < deadline:
            said = ExecProcess(self._client, self._container, helper).output().strip()
        if said == "gone":
            raise ProcessLookupError(f"{signal}: the process has ended")
        if said:
            raise EngineError(f"{signal} in {self._container.name}: {said}")

    def end(self) -> None:
        """Nobody reads it any more, and its input is at an end."""
        self.pipe.close()

    def output(self) -> str:
        """All that it still prints, to either stream."""
        pieces = iter(lambda: self.read()[1], b"")
        return b"".join(pieces).decode("utf-8", "backslashreplace")

    def status(self) -> int | None:
        with explained("exit status"):
            seen = self._api.exec_inspect(self.id)
        return None if seen["Running"] or seen["ExitCode"] is None else as_status(seen["ExitCode"])


class MainProcess(Piped):
    """The container's first process, for an image in which nothing else could wait.

    Its end is the end of the container, and the engine then kills its children.
    """

    def __init__(self, client: DockerClient, container: Container) -> None:
        self._container = container
        with explained(f"the first process of {container.name}"):
            # Attached before the start: what it prints first is not missed.
            self.pipe = FramedPipe(
                client.api.attach_socket(
                    str(container.id), {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
                )
            )
            container.start()

    def status(self) -> int | None:
        with explained("exit status"):
            self._container.reload()
        state = self._container.attrs["State"]
        return None if state["Running"] else as_status(state["ExitCode"])


def as_status(code: int) -> int:
    """The engine's exit code in the contract's terms.

    The engine reports a death by signal N as 128 + N, as a shell does; a server that itself exits
    with such a number cannot be told from it.
    """
    return 128 - code if 128 < code <= 128 + 64 else code


class DockerSubject(SubjectProcess):
    """The subject, its output read into a log of lines with their times."""

    def __init__(self, process: Piped) -> None:
        self._process = process
        self._lines: list[tuple[float, Stream, str]] = []
        self._flowing = threading.Event()
        self._flowing.set()
        self._reader = threading.Thread(target=self._read, name="subject's output", daemon=True)
        self._reader.start()

    def log(self) -> Sequence[tuple[float, Stream, str]]:
        return tuple(self._lines)

    def write(self, data: bytes) -> None:
        self._process.write(data)

    def hold_output(self, hold: bool) -> None:
        """As in the contract; the engine itself takes about 1 MB before the pipe fills."""
        if hold:
            self._flowing.clear()
        else:
            self._flowing.set()

    def wait(self, within_s: float) -> int | None:
        return self._process.wait(within_s)

    def end(self) -> None:
        """Stop reading; what was read stays."""
        self._process.pipe.close()
        self._flowing.set()
        self._reader.join()

    def _read(self) -> None:
        unfinished: dict[Stream, bytes] = {"stdout": b"", "stderr": b""}
        while True:
            self._flowing.wait()
            stream, data = self._process.read()
            now = time.monotonic()
            if not data:
                break
            *lines, unfinished[stream] = (unfinished[stream] + data).split(b"\n")
            self._lines += [(now, stream, _text(line)) for line in lines]
        self._lines += [(now, stream, _text(rest)) for stream, rest in unfinished.items() if rest]


def _text(line: bytes) -> str:
    return line.decode("utf-8", "backslashreplace")
