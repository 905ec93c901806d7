"""Options and hooks of `pytest harness/`; the work is done in `harness/run/`."""

from __future__ import annotations

import gc
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from iolab.harness.errors import STATUS_OF_BAD_INPUT, UsageError
from iolab.harness.run import collection, options, runner


def pytest_addoption(parser: pytest.Parser) -> None:
    options.declare(parser.getgroup("iolab", "the lab").addoption)


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> int | None:
    """Check all input before anything starts, and play in parallel unless told otherwise."""
    try:
        runner.check_expressions(config)
        config.stash[runner.OPTIONS] = options.read(config)
        if config.getoption("--list"):
            runner.print_catalogue()
            return 0
        runner.set_workers(config)
        runner.start(config)
    except UsageError as error:
        print(f"iolab: {error}")
        return STATUS_OF_BAD_INPUT
    return None


def pytest_configure(config: pytest.Config) -> None:
    # It imports all of Hypothesis to say that it has nothing to say, and no scenario uses it.
    config.pluginmanager.unregister(name="hypothesispytest")
    # On a CI machine pytest would print all evidence once more in its last lines.
    config.option.force_short_summary = True
    if not runner.is_worker(config):
        from iolab.harness.report.terminal import (
            Summary,  # workers print no table, and start sooner
        )

        path = config.stash[runner.OPTIONS].results if runner.OPTIONS in config.stash else None
        summary = Summary(path, config.stash.get(runner.RUN, None), runner.observations)
        config.pluginmanager.register(summary, "iolab-summary")


def pytest_collect_directory(path: Path, parent: pytest.Collector) -> pytest.Dir | None:
    return collection.collect_folder(path, parent)


def pytest_sessionstart(session: pytest.Session) -> None:
    session.config.stash[runner.SESSION] = session


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.File | None:
    return collection.collect(file_path, parent)


def pytest_collection_finish() -> None:
    # What was imported and collected stays: looking through it again and again is a tenth of the
    # CPU of a run.
    gc.freeze()


@pytest.hookimpl(tryfirst=True)  # before the terminal has told how many there are
def pytest_xdist_setupnodes(config: pytest.Config, specs: list[Any]) -> None:
    runner.spare_workers(config, specs)
    # Workers begin in the user's folder, whose `select.py` is not Python's.
    for spec in specs:
        spec.python = f"{shlex.quote(sys.executable)} -P"


def pytest_configure_node(node: Any) -> None:
    node.workerinput["iolab"] = runner.handed_down(node.config)


def pytest_unconfigure(config: pytest.Config) -> None:
    runner.finish(config)
