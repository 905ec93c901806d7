"""`iolab test` and `iolab list`: what `pytest harness/` does, wherever the user is.

pytest is told where everything is, so that it takes nothing from the user's folder: neither its
settings, nor a `conftest.py`, nor a module that happens to be called as one of ours. Its options
are all there.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Generator, Sequence

import pytest

from iolab.harness.command_line import Parser
from iolab.harness.errors import UsageError
from iolab.harness.places import ROOT, cache
from iolab.harness.run import options, runner

_EPILOG = """\
and all options of pytest, among them
  -k WORDS              play what is named so: a category, a scenario, a subject, `a and not b`
  -x                    stop at the first failure
  -n N                  so many playings side by side; 0: one after the other
  --junitxml FILE       write a JUnit report
  --help-pytest         show them all
"""


def play(arguments: Sequence[str]) -> int:
    """Play the scenarios; 0 when all is well, 1 when something failed, 2 for wrong usage or Ctrl-C.

    Raises UsageError.
    """
    if "-h" in arguments or "--help" in arguments:
        _parser().print_help()
        return 0
    given = ["--help" if word == "--help-pytest" else word for word in arguments]
    return int(pytest.main([*_settings(), *given], [_OneLine()]))


def show(arguments: Sequence[str]) -> int:
    """Print the catalogue."""
    Parser(prog="iolab list", description="Print every scenario with its title.").parse_args(
        arguments
    )
    runner.print_catalogue()
    return 0


def _settings() -> list[str]:
    return [
        *("-c", os.devnull, "--rootdir", str(ROOT), "--noconftest"),
        *("--assert", "plain", "--no-header", "-rN"),
        *("-o", f"cache_dir={cache() / 'pytest'}"),
        *("-p", "iolab.harness.conftest", "-p", "iolab.harness.cli.manifests"),
    ]


class _OneLine:
    """A plugin: what pytest says of wrong usage in several lines is said in one, by the caller."""

    @pytest.hookimpl(wrapper=True)
    def pytest_cmdline_parse(self) -> Generator[None, pytest.Config, pytest.Config]:
        try:
            return (yield)
        except pytest.UsageError as error:
            raise _in_one_line(error) from None

    @pytest.hookimpl(wrapper=True)
    def pytest_cmdline_main(self) -> Generator[None, object, object]:
        try:
            return (yield)
        except pytest.UsageError as error:
            raise _in_one_line(error) from None


def _in_one_line(error: pytest.UsageError) -> UsageError:
    """The line that names what is wrong: between argparse's usage and where settings came from."""
    lines = [line.strip() for line in str(error).splitlines()]
    told = [line.partition("error: ")[2] for line in lines if "error: " in line] or lines
    return UsageError(told[0].removeprefix("argument "))


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="iolab test",
        description="Play the scenarios against each server that a manifest describes; without a\n"
        f"manifest, against our own {options.DEFAULT_MODEL}. What was observed is kept in runs/.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("manifest", nargs="*", metavar="MANIFEST", help="a file like mine.toml")
    options.declare(parser.add_argument)
    return parser
