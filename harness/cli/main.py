"""`python -m iolab COMMAND …`: finds the command's function and tells errors in one line."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from iolab.harness.backends.base import BackendError
from iolab.harness.errors import UsageError


class Command(NamedTuple):
    """A function of `(arguments) -> exit status`, imported when it is wanted."""

    where: str
    what: str


COMMANDS: Mapping[str, Command] = {
    "lab": Command(
        "iolab.harness.live.command:main", "run the lab of compose.yaml and watch it live"
    ),
    "client": Command("iolab.harness.live.join:main", "open a prompt inside the running lab"),
    "judge": Command("iolab.harness.cli.rejudge:main", "judge a saved run again"),
    "docs": Command(
        "iolab.harness.pages:main", "write the pages of docs/ that are made from the code"
    ),
    "pictures": Command("iolab.harness.cli.pictures:main", "record and draw what each model does"),
    "images": Command("iolab.harness.cli.housekeeping:build_images", "build the images for Docker"),
    "sweep": Command("iolab.harness.cli.housekeeping:sweep", "remove what dead runs left behind"),
    "clean": Command("iolab.harness.cli.housekeeping:clean", "sweep, and remove the images too"),
}


def main(arguments: Sequence[str]) -> int:
    """Run a command; returns an exit status: 2 for wrong usage."""
    name, *rest = arguments or ["--help"]
    if name in ("-h", "--help"):
        print("usage: python -m iolab COMMAND …\n")
        for known, command in COMMANDS.items():
            print(f"  {known:10} {command.what}")
        return 0
    if name not in COMMANDS:
        print(f"iolab: no command {name!r}; known are: {', '.join(COMMANDS)}", file=sys.stderr)
        return 2
    module, _, function = COMMANDS[name].where.partition(":")
    try:
        return int(getattr(importlib.import_module(module), function)(rest))
    except UsageError as error:
        print(f"iolab: {error}", file=sys.stderr)
        return 2
    except BackendError as error:
        print(f"iolab: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
