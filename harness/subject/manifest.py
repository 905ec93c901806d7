"""Manifests: what a subject is, and what it promises (`subjects/NAME.toml`).

A manifest is read once, checked field by field, and becomes a frozen `Subject`. Nothing is
inferred: what is not promised is None, and a scenario that needs it is `UNSUPPORTED`.
"""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from iolab.harness.errors import UsageError
from iolab.harness.judge.verdict import SIDES, Side
from iolab.harness.subject.nature import Nature

PROTOCOLS = ("line",)


@dataclass(frozen=True)
class Promises:
    """What the subject promises; None where it does not. Times in seconds, sizes in bytes."""

    idle_timeout_s: float | None = None
    detect_vanished_s: float | None = None
    message_deadline_s: float | None = None
    max_message: int | None = None
    half_close: bool | None = None
    graceful_stop_s: float | None = None
    unfinished_line: Literal["drop", "answer"] | None = None
    invalid_utf8: Literal["echo", "close"] | None = None
    max_connections: int | None = None


@dataclass(frozen=True)
class Subject:
    """A server under test, as its manifest describes it."""

    name: str
    manifest: Path | None
    port: int
    title: str = ""
    command: tuple[str, ...] = ()
    image: str | None = None
    files: Path | None = None
    protocol: str = "line"
    environment: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None
    writable: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    seccomp: Path | None = None
    start_s: float = 10.0
    promises: Promises = field(default_factory=Promises)
    nature: Nature = field(default_factory=Nature)
    expected: Mapping[str, str] = field(default_factory=dict)

    def argv(self, host: str, port: int) -> list[str]:
        """The command with `{host}` and `{port}` filled in."""
        return [word.replace("{host}", host).replace("{port}", str(port)) for word in self.command]

    @property
    def is_ours(self) -> bool:
        """Whether the command runs one of the servers that this project ships."""
        return self.files is None and self.image is None

    @property
    def takes_any_port(self) -> bool:
        """Whether it can be told where to listen, so that two of it can share a machine."""
        words = " ".join(self.command)
        return "{host}" in words and "{port}" in words


def load(path: Path) -> Subject:
    """Read and check a manifest.

    Raises UsageError with one line that names the file, the field and what is allowed.
    """
    try:
        with path.open("rb") as file:
            data = tomllib.load(file)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not valid TOML: {error}") from error
    return _Checker(path).subject(data)


class _Checker:
    def __init__(self, path: Path) -> None:
        self.path = path

    def wrong(self, name: str, allowed: str) -> UsageError:
        return UsageError(f"{self.path}: {name}: {allowed}")

    def subject(self, data: dict[str, Any]) -> Subject:
        known = {f.name for f in fields(Subject)} - {"manifest"}
        self._no_others("", data, known)
        name = self._get(data, "name", _name, "must be letters, digits, '.', '_' and '-'")
        port = self._get(data, "port", _port, "must be a whole number from 1 to 65535")
        if name is None:
            raise self.wrong("name", "is missing: letters, digits, '.', '_' and '-'")
        if port is None:
            raise self.wrong("port", "is missing: the port that the server listens on, 1 to 65535")
        command = self._command(data.get("command"))
        image = self._get(data, "image", _text, "must be the name of an image")
        if not command and image is None:
            raise self.wrong("command", "is missing: give `command` (a list of words) or `image`")
        seconds = "must be a number of seconds above 0"
        return Subject(
            name=name,
            manifest=self.path,
            port=port,
            title=self._get(data, "title", _text, "must be a text") or "",
            command=command,
            image=image,
            files=self._files(data.get("files")),
            protocol=self._get(
                data, "protocol", _one_of(PROTOCOLS), f"must be one of: {', '.join(PROTOCOLS)}"
            )
            or "line",
            environment=self._get(
                data, "environment", _environment, "must be a table of names and texts"
            )
            or {},
            user=self._get(data, "user", _user, 'must be "UID" or "UID:GID", in digits'),
            writable=self._get(
                data, "writable", _absolute, "must be a list of absolute paths in the container"
            )
            or (),
            capabilities=self._get(
                data,
                "capabilities",
                _capabilities,
                'must be a list of names like "NET_BIND_SERVICE"',
            )
            or (),
            seccomp=self._seccomp(data.get("seccomp")),
            start_s=self._get(data, "start_s", _seconds, seconds) or 10.0,
            promises=self._promises(data.get("promises", {})),
            nature=self._nature(data.get("nature", {})),
            expected=self._expected(data.get("expected", {})),
        )

    def _get(
        self,
        data: Mapping[str, Any],
        name: str,
        check: Callable[[Any], Any],
        allowed: str,
        at: str = "",
    ) -> Any:
        if name not in data:
            return None
        try:
            return check(data[name])
        except (TypeError, ValueError):
            shown = repr(data[name])
            shown = shown if len(shown) <= 60 else shown[:57] + "..."
            raise self.wrong(at + name, f"{allowed}, not {shown}") from None

    def _no_others(self, at: str, data: Mapping[str, Any], known: set[str]) -> None:
        for name in data:
            if name not in known:
                raise self.wrong(
                    at + name, f"is not a field; known are: {', '.join(sorted(known))}"
                )

    def _command(self, value: Any) -> tuple[str, ...]:
        if value is None:
            return ()
        if isinstance(value, str):
            raise self.wrong("command", f"must be a list of words, like {shlex.split(value)!r}")
        if not isinstance(value, list) or not value or not all(isinstance(w, str) for w in value):
            raise self.wrong("command", "must be a list of words, the program first")
        for word in value:
            for unknown in set(re.findall(r"\{(\w+)\}", word)) - {"host", "port"}:
                raise self.wrong(
                    "command", f"{{{unknown}}} is not known; {{host}} and {{port}} are"
                )
        return tuple(value)

    def _files(self, value: Any) -> Path | None:
        if value is None:
            return None
        if not isinstance(value, str):
            raise self.wrong("files", "must be a folder, relative to the manifest")
        folder = (self.path.parent / value).resolve()
        if not folder.is_dir():
            raise self.wrong(
                "files", f"must be a folder, relative to the manifest: no folder {folder}"
            )
        return folder

    def _seccomp(self, value: Any) -> Path | None:
        """The profile that its container gets in place of the engine's default one."""
        if value is None:
            return None
        wanted = "must be a seccomp profile in JSON, relative to the manifest"
        if not isinstance(value, str):
            raise self.wrong("seccomp", wanted)
        path = (self.path.parent / value).resolve()
        try:
            profile = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise self.wrong("seccomp", f"{wanted}: {path}: {error.strerror}") from None
        except ValueError as error:
            raise self.wrong("seccomp", f"{wanted}: {path}: {error}") from None
        if not isinstance(profile, dict) or "defaultAction" not in profile:
            raise self.wrong("seccomp", f"{wanted}: {path} has no defaultAction")
        return path

    def _promises(self, data: Any) -> Promises:
        if not isinstance(data, dict):
            raise self.wrong("promises", "must be a table")
        self._no_others("promises.", data, {f.name for f in fields(Promises)})
        seconds = "must be a number of seconds above 0"
        count = "must be a whole number above 0"
        checks: dict[str, tuple[Callable[[Any], Any], str]] = {
            "idle_timeout_s": (_seconds, seconds),
            "detect_vanished_s": (_seconds, seconds),
            "message_deadline_s": (_seconds, seconds),
            "max_message": (_count, count),
            "half_close": (_boolean, "must be true or false"),
            "graceful_stop_s": (_seconds, seconds),
            "unfinished_line": (_one_of(("drop", "answer")), 'must be "drop" or "answer"'),
            "invalid_utf8": (_one_of(("echo", "close")), 'must be "echo" or "close"'),
            "max_connections": (_count, count),
        }
        return Promises(
            **{
                name: self._get(data, name, check, allowed, at="promises.")
                for name, (check, allowed) in checks.items()
            }
        )

    def _nature(self, data: Any) -> Nature:
        if not isinstance(data, dict):
            raise self.wrong("nature", "must be a table")
        self._no_others("nature.", data, {"fails"})
        fails = self._pairs("nature.fails", data.get("fails", {}))
        return Nature(fails)

    def _expected(self, data: Any) -> dict[str, str]:
        """Of a gallery server: the scenario that stands for its bug, and the verdict it fails."""
        return {
            scenario: f"{verdict}: {words}"
            for scenario, (verdict, words) in self._pairs("expected", data).items()
        }

    def _pairs(self, at: str, data: Any) -> dict[str, tuple[Side, str]]:
        allowed = 'must be a table like "slow.sender" = "reply: the reason"'
        if not isinstance(data, dict):
            raise self.wrong(at, allowed)
        pairs = {}
        for scenario, value in data.items():
            verdict, _, reason = value.partition(":") if isinstance(value, str) else ("", "", "")
            side = next((side for side in SIDES if side == verdict.strip()), None)
            if side is None or not reason.strip():
                raise self.wrong(
                    f'{at}."{scenario}"', f'must be "reply: …" or "cleanup: …", not {value!r}'
                )
            pairs[scenario] = (side, reason.strip())
        return pairs


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError
    return value


def _name(value: Any) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", _text(value)):
        raise ValueError
    return str(value)


def _count(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError
    return value


def _port(value: Any) -> int:
    if _count(value) > 65535:
        raise ValueError
    return int(value)


def _seconds(value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < 86_400:
        raise ValueError
    return float(value)


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError
    return value


def _one_of(allowed: tuple[str, ...]) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if value not in allowed:
            raise ValueError
        return str(value)

    return check


def _user(value: Any) -> str:
    if not re.fullmatch(r"\d+(:\d+)?", _text(value)):
        raise ValueError
    return str(value)


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ValueError
    return tuple(_text(word) for word in value)


def _absolute(value: Any) -> tuple[str, ...]:
    if not all(path.startswith("/") for path in _texts(value)):
        raise ValueError
    return _texts(value)


def _capabilities(value: Any) -> tuple[str, ...]:
    if not all(re.fullmatch(r"[A-Z_]+", name) for name in _texts(value)):
        raise ValueError
    return _texts(value)


def _environment(value: Any) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
        raise ValueError
    return dict(value)
