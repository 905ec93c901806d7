"""What pytest collects from `harness/scenarios/`: a file a category, an item a playing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from iolab.harness.run import runner
from iolab.harness.run.runner import Form
from iolab.harness.scenarios.catalogue import FOLDER, scenarios_of
from iolab.harness.scenarios.scenario import Scenario


class ScenarioFile(pytest.File):
    """One file of the catalogue."""

    def collect(self) -> Iterator[PlayingItem]:
        """One item for each scenario, subject, address family, case and playing."""
        options = self.config.stash[runner.OPTIONS]
        for entry in scenarios_of(self.path):
            for form in runner.forms(entry, options):
                label = entry.label(form.case, form.quiet).replace(" ", "-")
                name = f"{label}-{form.subject.name}-ipv{form.family}"
                yield PlayingItem.from_parent(self, name=name, scenario=entry, form=form)


class PlayingItem(pytest.Item):
    """A scenario as it is played once."""

    def __init__(self, *, scenario: Scenario, form: Form, **rest: object) -> None:
        super().__init__(**rest)  # type: ignore[arg-type]
        self.scenario = scenario
        self.form = form

    def runtest(self) -> None:
        runner.play(runner.stage(self.config), self, self.scenario, self.form)

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, self.scenario.body.__code__.co_firstlineno - 1, self.name


def collect_folder(path: Path, parent: pytest.Collector) -> pytest.Dir | None:
    """The catalogue's folder, or None for any other.

    pytest would take it for a package of tests, and import it under a name of its own making.
    """
    return pytest.Dir.from_parent(parent, path=path) if path == FOLDER else None


def collect(path: Path, parent: pytest.Collector) -> ScenarioFile | None:
    """The file as one of the catalogue, or None if it is none."""
    return ScenarioFile.from_parent(parent, path=path) if scenarios_of(path) else None
