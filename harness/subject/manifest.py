"""Manifests: what a subject is, and what it promises (`subjects/NAME.toml`).

A manifest is read once, checked field by field, and becomes a frozen `Subject`. Nothing is
inferred: what is not promised is None, and a scenario that needs it is `UNSUPPORTED`.
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from iolab.harness.errors import UsageError
from iolab.harness.judge.verdict import SIDES, Side
from iolab.harness.subject.form import START_S, Manifest
from iolab.harness.subject.nature import Nature
from iolab.harness.subject.promises import Promises
from iolab.harness.tables import read

__all__ = ["Promises", "Subject", "load"]


@dataclass(frozen=True)
class Subject:
    """A server under test: its manifest, with what that names found on this machine."""

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
    start_s: float = START_S
    promises: Promises = field(default_factory=Promises)
    nature: Nature = field(default_factory=Nature)
    expected: Mapping[str, str] = field(default_factory=dict)

    def argv(self, host: str, port: int) -> list[str]:
        """The command with `{host}` and `{port}` filled in."""
        return [word.replace("{host}", host).replace("{port}", str(port)) for word in self.command]

    def astray(self, folder: Path) -> tuple[str, ...]:
        """Words of the command that name a file beside the manifest, and none in `folder`.

        There it runs, having no `files`: who wrote the manifest meant the folder that it is in. A
        program given by a relative path that is not there is such a word, too.
        """
        if self.files is not None or self.image is not None or self.manifest is None:
            return ()
        beside = self.manifest.resolve().parent
        relative = "/" in self.command[0] and not os.path.isabs(self.command[0])
        program = self.command[0] if relative else None
        return tuple(
            word
            for word in self.command
            if not os.path.exists(folder / word)
            and (word == program or os.path.isfile(beside / word))
        )

    @property
    def takes_any_port(self) -> bool:
        """Whether it can be told where to listen, so that two of it can share a machine."""
        words = " ".join(self.command)
        return "{host}" in words and "{port}" in words


def load(path: Path) -> Subject:
    """Read and check a manifest.

    Raises UsageError with one line that names the file, the field and what is allowed.
    """
    written = read(Manifest, _toml(path), str(path))
    expected = _outcomes(written.expected)
    return Subject(
        name=written.name,
        manifest=path,
        port=written.port,
        title=written.title or "",
        command=_command(path, written),
        image=written.image,
        files=_folder(path, written.files),
        protocol=written.protocol,
        environment=written.environment,
        user=written.user,
        writable=written.writable,
        capabilities=written.capabilities,
        seccomp=_profile(path, written.seccomp),
        start_s=written.start_s,
        promises=written.promises,
        nature=Nature(_outcomes(written.nature.fails)),
        expected={label: f"{verdict}: {words}" for label, (verdict, words) in expected.items()},
    )


def _toml(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not valid TOML: {error}") from error


# What a type cannot say of a field


def _command(path: Path, written: Manifest) -> tuple[str, ...]:
    if written.command is None and written.image is None:
        raise UsageError(
            f"{path}: command: is missing: give `command` (a list of words) or `image`"
        )
    for word in written.command or ():
        for unknown in set(re.findall(r"\{(\w+)\}", word)) - {"host", "port"}:
            raise UsageError(
                f"{path}: command: {{{unknown}}} is not known; {{host}} and {{port}} are"
            )
    return written.command or ()


def _folder(path: Path, name: str | None) -> Path | None:
    if name is None:
        return None
    folder = (path.parent / name).resolve()
    if not folder.is_dir():
        raise UsageError(
            f"{path}: files: must be a folder, relative to the manifest: no folder {folder}"
        )
    return folder


def _profile(path: Path, name: str | None) -> Path | None:
    """The profile that its container gets in place of the engine's default one."""
    if name is None:
        return None
    wanted = f"{path}: seccomp: must be a seccomp profile in JSON, relative to the manifest"
    file = (path.parent / name).resolve()
    try:
        profile = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{wanted}: {file}: {error.strerror}") from None
    except ValueError as error:
        raise UsageError(f"{wanted}: {file}: {error}") from None
    if not isinstance(profile, dict) or "defaultAction" not in profile:
        raise UsageError(f"{wanted}: {file} has no defaultAction")
    return file


def _outcomes(table: Mapping[str, str]) -> dict[str, tuple[Side, str]]:
    """`"slow.sender" = "reply: the reason"`, taken apart."""
    outcomes = {}
    for label, outcome in table.items():
        verdict, _, reason = outcome.partition(":")
        side = next(side for side in SIDES if side == verdict.strip())
        outcomes[label] = (side, reason.strip())
    return outcomes
