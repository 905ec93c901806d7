"""What `make lab` is to run: options and compose.yaml, checked before anything starts."""

from __future__ import annotations

import argparse
import ast
import dataclasses
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from iolab.client.fields import Invalid
from iolab.client.script import load
from iolab.harness.backends.choose import AUTO, BACKENDS
from iolab.harness.command_line import Parser
from iolab.harness.errors import UsageError
from iolab.harness.live import definition
from iolab.harness.live.definition import Definition
from iolab.harness.places import COMPOSE, ROOT
from iolab.harness.run.options import model
from iolab.harness.subject.manifest import Subject

REPLIES = ("echo", "upper", "operator")
DEFAULT_DURATION_S = 20.0

# The options that are variables of compose.yaml too, so that Compose can be told the same.
_VARIABLES = {"model": "MODEL", "reply": "REPLY", "clients": "CLIENTS"}


@dataclass(frozen=True)
class Options:
    """One lab as it is to run; `duration_s` is None when it runs until somebody ends it."""

    backend: str
    definition: Definition
    subject: Subject
    whats: Mapping[str, str]
    """Of each client by name, what it is like, in a sentence."""
    essay: str
    duration_s: float | None
    capture: Path | None


def read(arguments: Sequence[str], *, terminal: bool) -> Options:
    """What was asked for; UsageError names the option or key that is wrong and what is allowed."""
    options = _parser().parse_args(arguments)
    given = {
        variable: str(value)
        for name, variable in _VARIABLES.items()
        if (value := getattr(options, name)) is not None
    }
    found = definition.load(COMPOSE, {**os.environ, **given})
    duration_s = options.duration
    if duration_s is None and not (terminal and options.capture is None):
        duration_s = DEFAULT_DURATION_S
    if options.capture is not None and not options.capture.parent.is_dir():
        raise UsageError(f"--capture: there is no folder {options.capture.parent}")
    subject = _subject(found)
    return Options(
        backend=options.backend,
        definition=found,
        subject=subject,
        whats={client.name: _what(found, client.name, client.script) for client in found.clients},
        essay=_essay(subject.name),
        duration_s=duration_s,
        capture=options.capture,
    )


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="iolab lab",
        description="Run the lab of compose.yaml and watch it live. Ctrl-C ends it and removes "
        "everything. Without a terminal it prints plain lines and ends after --duration.",
    )
    parser.add_argument(
        "--backend", choices=(AUTO, *BACKENDS), default=AUTO, help="where it runs (auto: the best)"
    )
    parser.add_argument("--model", help="how the server waits (default in compose.yaml: select)")
    parser.add_argument("--reply", choices=REPLIES, help="operator: you answer, in this terminal")
    parser.add_argument("--clients", metavar="N", help="connections of each client (default: 1)")
    parser.add_argument(
        "--duration",
        type=_seconds,
        metavar="SECONDS",
        help=f"end by itself (without a terminal: after {DEFAULT_DURATION_S:g})",
    )
    parser.add_argument(
        "--capture", type=Path, metavar="FILE", help="draw the view at its end as SVG into FILE"
    )
    return parser


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError(f"must be a number of seconds above 0, not {text!r}")
    return value


def _subject(found: Definition) -> Subject:
    """The server of compose.yaml, as a subject of that model."""
    server = found.server
    if server.reply not in REPLIES:
        allowed = ", ".join(REPLIES)
        raise UsageError(f"--reply (REPLY): must be one of {allowed}, not {server.reply!r}")
    name = server.model
    if name == "auto":
        from iolab.server.models import best

        name = best()
    manifest = model(name)
    arguments = [f"--model={name}" if word == "--model=auto" else word for word in server.arguments]
    return dataclasses.replace(
        manifest,
        manifest=found.path,  # which errors name
        port=server.port,
        command=(
            *("python3", "-m", "server", *arguments),
            *("--host", "{host}", "--port", "{port}"),
        ),
        environment={**manifest.environment, **server.environment},
        writable=tuple(dict.fromkeys((*manifest.writable, *server.writable))),
        capabilities=tuple(dict.fromkeys((*manifest.capabilities, *server.capabilities))),
    )


def _what(found: Definition, client: str, script: str) -> str:
    try:
        return load(script).what
    except Invalid as error:
        raise UsageError(f"{found.path.name}: services.{client}.command: {error}") from None


def _essay(name: str) -> str:
    """What opens the model's own file: what the process does while it waits."""
    source = ROOT / "server" / "models" / f"{name}.py"
    text = ast.get_docstring(ast.parse(source.read_text(encoding="utf-8"))) or ""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))
