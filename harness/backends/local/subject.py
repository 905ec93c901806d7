"""The subject, as a process that the probe has started in its own namespaces."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from iolab.harness.backends.base import Stream, SubjectProcess
from iolab.harness.backends.local.process import environment
from iolab.harness.errors import UsageError
from iolab.harness.subject.manifest import Subject

if TYPE_CHECKING:
    from iolab.harness.backends.channel import Channel


def require_command(subject: Subject, backend: str) -> None:
    """UsageError for a subject that is only an image, which takes an engine."""
    if not subject.command:
        raise UsageError(
            f"{subject.manifest or subject.name}: command: is missing: the backend {backend} runs "
            "a command; an image needs --backend docker"
        )


def user_of(subject: Subject) -> tuple[int, int] | None:
    """Whom it becomes (uid, gid); None for who we are, which only root may leave."""
    if subject.user is None or os.geteuid() != 0:
        return None
    uid, _, gid = subject.user.partition(":")
    return int(uid), int(gid or uid)


def subject_environment(subject: Subject) -> dict[str, str]:
    """What a subject sees: the path to its programs, a plain locale, and what it asks for."""
    ours = environment()
    kept = {name: value for name, value in ours.items() if name in ("PATH", "HOME", "TMPDIR")}
    return {**kept, "LANG": "C.UTF-8", **subject.environment}


class SpawnedSubject(SubjectProcess):
    """What the probe tells of the process that it spawned."""

    def __init__(
        self,
        probe: Channel,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: str,
        nofile: int,
        user: tuple[int, int] | None = None,
    ) -> None:
        """Spawn it; ChannelError when the probe cannot."""
        self._probe = probe
        self._changed = threading.Condition()
        self._lines: list[tuple[float, Stream, str]] = []
        self._unfinished: dict[Stream, bytes] = {"stdout": b"", "stderr": b""}
        self._exit: int | None = None
        # Until the answer with its PID is here, events are kept back: they may come before it.
        self._early: list[dict[str, Any]] | None = []
        probe.on("output", self._hear)
        probe.on("exited", self._hear)
        identity = {} if user is None else {"uid": user[0], "gid": user[1]}
        answer = probe.request(
            "spawn", argv=list(argv), env=dict(env), cwd=cwd, nofile=nofile, **identity
        )
        with self._changed:
            self._pid = answer["pid"]
            early, self._early = self._early, None
            for event in early or ():
                self._take(event)

    def log(self) -> Sequence[tuple[float, Stream, str]]:
        with self._changed:
            now = time.monotonic()
            rests = [
                (now, stream, _text(rest)) for stream, rest in self._unfinished.items() if rest
            ]
            return [*self._lines, *rests]

    def write(self, data: bytes) -> None:
        self._probe.request("input", pid=self._pid, data=data.decode("utf-8", "surrogateescape"))

    def hold_output(self, hold: bool) -> None:
        self._probe.request("hold-output", pid=self._pid, hold=hold)

    def wait(self, within_s: float) -> int | None:
        with self._changed:
            self._changed.wait_for(lambda: self._exit is not None, within_s)
            return self._exit

    def _hear(self, event: dict[str, Any]) -> None:
        with self._changed:
            if self._early is not None:
                self._early.append(event)
            else:
                self._take(event)

    def _take(self, event: dict[str, Any]) -> None:
        if event["pid"] != self._pid:
            return  # of another start of the subject
        if event["event"] == "exited":
            self._exit = event["status"]
            self._changed.notify_all()
            return
        stream: Stream = event["stream"]
        # As bytes: a character may have come in two pieces.
        data = event["data"].encode("utf-8", "surrogateescape")
        *lines, self._unfinished[stream] = (self._unfinished[stream] + data).split(b"\n")
        self._lines += [(event["t"], stream, _text(line)) for line in lines]


def _text(line: bytes) -> str:
    return line.decode("utf-8", "backslashreplace")
