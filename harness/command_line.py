"""The command line of one command of `iolab`: a mistake costs one line, and names the argument."""

from __future__ import annotations

import argparse
from typing import NoReturn

from iolab.harness.errors import UsageError


class Parser(argparse.ArgumentParser):
    """argparse's, whose `parse_args` raises UsageError."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(message.removeprefix("argument "))
