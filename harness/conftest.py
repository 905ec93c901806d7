"""Options and hooks of `pytest harness/`; the work is done in `harness/run/`."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import pytest

from iolab.harness.errors import UsageError
from iolab.harness.run import collection, options, runner

STATUS_OF_BAD_INPUT = 2


def pytest_addoption(parser: pytest.Parser) -> None:
    options.declare(parser)


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> int | None:
    """Check all input before anything starts, and play in parallel unless told otherwise."""
    try:
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
    if not runner.is_worker(config):
        from iolab.harness.report.terminal import (
            Summary,  # workers print no table, and start sooner
        )

        path = config.stash[runner.OPTIONS].results if runner.OPTIONS in config.stash else None
        summary = Summary(path, config.stash.get(runner.RUN, None))
        config.pluginmanager.register(summary, "iolab-summary")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.File | None:
    return collection.collect(file_path, parent)


def pytest_collection_finish() -> None:
    # What was imported and collected stays: looking through it again and again is a tenth of the
    # CPU of a run.
    gc.freeze()


def pytest_configure_node(node: Any) -> None:
    node.workerinput["iolab"] = runner.handed_down(node.config)


def pytest_unconfigure(config: pytest.Config) -> None:
    runner.finish(config)
