"""A run of many subjects, watched: a bar while it goes on, and every playing as a row."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import pytest
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from iolab.harness.places import ROOT
from iolab.harness.report.results import Result
from iolab.harness.run.runner import BACKEND


class Audience:
    """A plugin in place of pytest's own reporter, which would print a line a failure.

    `rows` are the playings that have ended; `impossible`, why the backend cannot play others.
    """

    def __init__(self, console: Console) -> None:
        self.rows: list[Result] = []
        self.impossible: Collection[str] = ()
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
        )
        self._task = self._bar.add_task("collecting", total=None)

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        config.pluginmanager.unregister(name="terminalreporter")
        self._config = config
        self.impossible = frozenset(config.stash[BACKEND].missing().values())

    def pytest_sessionstart(self) -> None:
        self._bar.start()

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._collected(len(session.items))

    def pytest_xdist_node_collection_finished(self, ids: Sequence[str]) -> None:
        self._collected(len(ids))

    def _collected(self, playings: int) -> None:
        if playings:
            self._bar.update(self._task, total=playings, description="playing")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "teardown":
            self._bar.advance(self._task)

    def pytest_sessionfinish(self) -> None:
        self._bar.stop()
        self.rows = self._config.pluginmanager.getplugin("iolab-summary").rows


def watched(options: Sequence[str], console: Console) -> tuple[int, Audience]:
    """Run `pytest harness/` with these options; pytest's exit status, and who has watched."""
    audience = Audience(console)
    plugins: list[Any] = [audience]
    return int(pytest.main([str(ROOT / "harness"), *options], plugins=plugins)), audience
