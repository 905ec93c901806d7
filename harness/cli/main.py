"""The front door, `iolab COMMAND …`: finds the command's function and tells errors in one line."""

from __future__ import annotations

import difflib
import importlib
import sys
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from iolab.harness.backends.base import BackendError
from iolab.harness.errors import STATUS_OF_BAD_INPUT, UsageError
from iolab.harness.places import IS_CHECKOUT


class Command(NamedTuple):
    """A function of `(arguments) -> exit status`, imported when it is wanted."""

    where: str
    takes: str
    what: str
    makes_docs: bool = False
    """Whether it writes what a checkout alone has."""


_CLI = "iolab.harness.cli"

COMMANDS: Mapping[str, Command] = {
    "lab": Command(
        "iolab.harness.live.command:main", "", "a server and its clients, live; Ctrl-C ends it"
    ),
    "client": Command(
        "iolab.harness.live.join:main", "", "take part in the running lab, from a second terminal"
    ),
    "test": Command(
        f"{_CLI}.scenarios:play",
        "[MANIFEST…] [-k …]",
        "play the scenarios against a server; without a manifest, against ours",
    ),
    "list": Command(f"{_CLI}.scenarios:show", "", "the catalogue of scenarios"),
    "judge": Command(f"{_CLI}.rejudge:main", "RUN", "judge a saved run again"),
    "serve": Command(f"{_CLI}.alone:serve", "--model …", "one of our servers, alone"),
    "talk": Command(f"{_CLI}.alone:talk", "HOST PORT", "talk to a server, line by line"),
    "play": Command(
        f"{_CLI}.alone:play", "SCRIPT HOST PORT", "play a client's script against a server"
    ),
    "pictures": Command(
        f"{_CLI}.pictures:main", "", "record and draw what each model does while it waits", True
    ),
    "images": Command(f"{_CLI}.housekeeping:build_images", "", "build the images for Docker"),
    "docs": Command(
        "iolab.harness.pages:main", "", "write the pages of docs/ that are made from the code", True
    ),
    "sweep": Command(f"{_CLI}.housekeeping:sweep", "", "remove what dead runs left behind"),
    "clean": Command(f"{_CLI}.housekeeping:clean", "", "sweep, and remove the images too"),
}


def main(arguments: Sequence[str]) -> int:
    """Run a command; returns an exit status: 2 for wrong usage, 130 for Ctrl-C."""
    name, *rest = arguments or ["--help"]
    if name in ("-h", "--help"):
        print("\n".join(_help()))
        return 0
    try:
        return _run(name, rest)
    except UsageError as error:
        print(f"iolab: {error}", file=sys.stderr)
        return STATUS_OF_BAD_INPUT
    except BackendError as error:
        print(f"iolab: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def command() -> int:
    """What the installed command `iolab` calls."""
    return main(sys.argv[1:])


def _run(name: str, arguments: Sequence[str]) -> int:
    if name not in COMMANDS:
        meant = difflib.get_close_matches(name, COMMANDS, 1)
        hint = f"did you mean {meant[0]}? " if meant else ""
        raise UsageError(f"no command {name!r}; {hint}known are: {', '.join(COMMANDS)}")
    if COMMANDS[name].makes_docs and not IS_CHECKOUT:
        raise UsageError(f"{name}: writes docs/ of a checkout of iolab, and this one is installed")
    module, _, function = COMMANDS[name].where.partition(":")
    return int(getattr(importlib.import_module(module), function)(arguments))


def _help() -> list[str]:
    lines = ["usage: iolab COMMAND …", "", "A laboratory for TCP servers.", ""]
    for name, command in COMMANDS.items():
        if IS_CHECKOUT or not command.makes_docs:
            lines.append(f"  {f'{name} {command.takes}':25} {command.what}")
    return [*lines, "", "Each has its own --help."]


if __name__ == "__main__":
    sys.exit(command())
