"""What is played of the controls where there is no time for all."""

from __future__ import annotations

from collections import Counter

from iolab.harness.scenarios.catalogue import load_catalogue
from tests.gallery.__main__ import dealt, subjects
from tests.gallery.servers import CONTROLS


def test_every_scenario_that_can_be_asked_is_asked_of_one() -> None:
    controls = subjects(CONTROLS)
    promised = [
        entry.label(case, quiet=False)
        for entry in load_catalogue().values()
        for case, value in entry.cases.items()
        if any(entry.unsupported(each.promises, {}, value) is None for each in controls)
    ]
    assert [name for _, name in dealt(controls)] == promised


def test_every_control_is_asked_by_several() -> None:
    asked = Counter(control.name for control, _ in dealt(subjects(CONTROLS)))
    assert asked.keys() == {script.stem for script in CONTROLS}
    assert min(asked.values()) >= 2
