"""What is said of a run, as data: `--results` is this, and `docs/results.md` describes it.

A `Result` also travels from a worker to the run's main process as properties of its test, which are
texts, and so into JUnit.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

from iolab.harness.errors import UsageError
from iolab.harness.judge import Level, Side
from iolab.harness.tables import fits
from iolab.harness.tables import read as read_table

VERSION: Final = 1
BY_NATURE: Final = "FAILED (by nature)"

Said = Literal[
    "OK",
    "INFORMATIONAL",
    "NON-STRICT",
    "UNSUPPORTED",
    "UNKNOWN",
    "FAILED",
    "FAILED (by nature)",
]
"""A verdict as it is reported: a level, or that it failed as the manifest says it must."""

Properties = list[tuple[str, object]]


class Finding(Struct, frozen=True, kw_only=True):
    """One thing that was found in a playing."""

    side: Annotated[Side, Meta(description="Whose verdict it belongs to.")]
    level: Annotated[
        Level,
        Meta(
            description="The heaviest level of a side's findings is its verdict; without a finding "
            "it is `OK`."
        ),
    ]
    cause: Annotated[
        str,
        Meta(
            description="A short key that is the same wherever this was found: `CLOSE-WAIT`, "
            "`died`, `stalled`, `wrong bytes`, …"
        ),
    ]
    summary: Annotated[str, Meta(description="One line.")]
    evidence: Annotated[
        tuple[str, ...],
        Meta(
            description="Who, what was expected and seen; the socket in the server's kernel, its "
            "descriptor, what the threads were doing, the last packets as a diagram, the server's "
            "last log lines."
        ),
    ] = ()


class Figure(Struct, frozen=True, kw_only=True):
    """One thing that was measured in a playing."""

    name: Annotated[str, Meta(description="What was measured.")]
    value: Annotated[int | float, Meta(description="How much it was.")]
    unit: Annotated[str, Meta(description="In what, as `bytes a connection`.")]


class Result(Struct, frozen=True, kw_only=True):
    """One playing of a scenario, and how it ended."""

    scenario: Annotated[
        str,
        Meta(
            description="What was played: `disconnect.rst-idle`, `connect.concurrent/900`, "
            "`vanish.idle quiet`."
        ),
    ]
    title: Annotated[str, Meta(description="The scenario in words.")]
    subject: Annotated[str, Meta(description="The `name` of the subject's manifest.")]
    ip: Annotated[Literal[4, 6], Meta(description="The address family.")]
    reply: Annotated[
        Said, Meta(description="Did every client get its own answer, whole, in order, in time?")
    ]
    cleanup: Annotated[
        Said, Meta(description="Did the server let go of every dead socket, in time?")
    ]
    passed: Annotated[
        bool,
        Meta(
            description="Whether the run goes on without an error: false if a verdict is `FAILED` "
            "or `UNKNOWN`, but for what the manifest says under `[nature]`; false as well where "
            "such a failure did not come."
        ),
    ]
    seconds: Annotated[
        float | None,
        Meta(description="How long all attempts took together, the lab's start included."),
    ] = None
    attempts: Annotated[
        tuple[Level, ...],
        Meta(
            description="The heavier verdict of each attempt; the last one counts, and is what "
            "`reply` and `cleanup` say."
        ),
    ] = ()
    findings: Annotated[
        tuple[Finding, ...],
        Meta(description="What was found in the last attempt, the gravest of each verdict first."),
    ] = ()
    figures: Annotated[tuple[Figure, ...], Meta(description="What was measured.")] = ()
    doubts: Annotated[
        tuple[tuple[str, ...], ...],
        Meta(
            description="For each attempt, what put it in doubt, the gravest first: also doubts "
            "that did not change its verdict."
        ),
    ] = ()
    observations: Annotated[
        tuple[str, ...],
        Meta(
            description="For each attempt, the file of what was seen; `iolab judge FILE` "
            "judges it again. Beside it lies a capture (`.pcapng`) of each failure."
        ),
    ] = ()
    reason: Annotated[str | None, Meta(description="Why the scenario is `UNSUPPORTED`.")] = None

    def said(self, side: Side) -> Said:
        """The verdict of one side."""
        return self.reply if side == "reply" else self.cleanup

    def properties(self) -> Properties:
        """As properties of a test: a text as it is, the rest as JSON; None is left out.

        They are ASCII where a server had a say, so that any worker can hand them on.
        """
        fields: Mapping[str, Any] = msgspec.to_builtins(self)
        return [
            (name, value if isinstance(value, str) else json.dumps(value))
            for name, value in fields.items()
            if value is not None
        ]

    @classmethod
    def of_properties(cls, properties: Properties) -> Result | None:
        """The same again; None if these are the properties of another kind of test."""
        given = dict(properties)
        if "scenario" not in given:
            return None
        fields = {
            field.name: text if fits(field.type, text) else json.loads(text)
            for field in msgspec.structs.fields(cls)
            if isinstance(text := given.get(field.name), str)
        }
        return msgspec.convert(fields, cls)


class Machine(Struct, frozen=True, kw_only=True):
    """Where a run was."""

    kernel: Annotated[str, Meta(description="As `uname -sr` has it.")]
    architecture: Annotated[str, Meta(description="As `uname -m` has it.")]
    cores: Annotated[int, Meta(description="The CPUs that the run may use.")]
    python: Annotated[str, Meta(description="The Python of the harness.")]


class RunOptions(Struct, frozen=True, kw_only=True):
    """The options that decide what was played."""

    subjects: Annotated[tuple[str, ...], Meta(description="The names of what was tested.")]
    ip: Annotated[tuple[Literal[4, 6], ...], Meta(description="The address families.")]
    scale: Annotated[int, Meta(description="How often what is repeated is repeated (`--scale`).")]
    only: Annotated[
        dict[str, tuple[str, ...]],
        Meta(description="Of which subjects only some playings were asked for (`--only`)."),
    ] = {}
    keywords: Annotated[
        str | None, Meta(description="What was chosen of all that (`-k`); null: everything.")
    ] = None


class Run(Struct, frozen=True, kw_only=True):
    """What was run, when, where and with what."""

    date: Annotated[str, Meta(description="When it began, in UTC: `2026-01-31T23:59:59Z`.")]
    backend: Annotated[
        str, Meta(description="Where labs ran: `docker`, `namespaces` or `processes`.")
    ]
    machine: Machine
    versions: Annotated[
        dict[str, str],
        Meta(description="Versions by name: `iolab`, and `docker` (the engine) where it was used."),
    ]
    options: RunOptions


class Results(Struct, frozen=True, kw_only=True):
    """A run, and what it found."""

    version: Annotated[
        Literal[1], Meta(description="The version of this format: another one may differ.")
    ]
    run: Run
    results: Annotated[
        tuple[Result, ...],
        Meta(
            description="A record for each playing: for each subject, address family, case, and "
            "once more where it is played quietly."
        ),
    ]


def write(path: Path, run: Run, results: Sequence[Result]) -> None:
    """Write the whole file at once: nobody reads half of it. OSError if it cannot be written."""
    data = msgspec.to_builtins(Results(version=VERSION, run=run, results=tuple(results)))
    text = json.dumps(data, indent=1, ensure_ascii=False) + "\n"
    path = path.resolve()
    if path.exists() and not path.is_file():  # a pipe, say, which cannot be replaced
        path.write_text(text, encoding="utf-8")
        return
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def read(path: Path) -> Results:
    """What `write` wrote. Raises UsageError with one line that names the file and the field."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"{path}: not valid JSON: {error}") from error
    if not isinstance(data, dict):
        raise UsageError(f"{path}: must be an object with `version`, `run` and `results`")
    if data.get("version") != VERSION:  # first: the other fields may differ because of it
        raise UsageError(f"{path}: version: must be {VERSION}, not {data.get('version')!r}")
    return read_table(Results, data, str(path))
