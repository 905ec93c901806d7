"""The catalogue: every scenario of the files beside this one, in the order of the pages."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path

from iolab.harness.scenarios.scenario import CATALOGUE, CATEGORIES, Scenario

FOLDER = Path(__file__).resolve().parent


def load_catalogue() -> Mapping[str, Scenario]:
    """Import every category, with what is in files of its own; the scenarios by ID."""
    for category in CATEGORIES:
        for path in sorted(FOLDER.glob(f"{category}*.py"), key=lambda path: path.stem):
            scenarios_of(path)
    return CATALOGUE


def scenarios_of(path: Path) -> list[Scenario]:
    """The scenarios of one file of this folder; none of a file that is no category's."""
    if path.parent != FOLDER or path.suffix != ".py" or not path.stem.startswith(CATEGORIES):
        return []
    name = f"{__package__}.{path.stem}"
    importlib.import_module(name)
    return [entry for entry in CATALOGUE.values() if entry.body.__module__ == name]
