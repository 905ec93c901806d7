"""A playing: one scenario in the form in which it is played once."""

from __future__ import annotations

from dataclasses import dataclass

from iolab.harness.backends.base import Family
from iolab.harness.judge.verdict import Side
from iolab.harness.scenarios.scenario import Scenario
from iolab.harness.subject.manifest import Subject


@dataclass(frozen=True)
class Playing:
    """One scenario as it is played: against whom, over what, in which of its forms."""

    scenario: Scenario
    subject: Subject
    family: Family
    case: str
    quiet: bool
    scale: int = 1

    @property
    def label(self) -> str:
        return self.scenario.label(self.case, self.quiet)

    @property
    def by_nature(self) -> tuple[Side, str] | None:
        """(verdict, reason) where the manifest says that the subject fails this by its nature."""
        fails = self.subject.nature.fails
        stated = self.scenario.names(self.case, self.quiet)
        return next((fails[label] for label in stated if label in fails), None)

    @property
    def slug(self) -> str:
        """Its name as part of a file's."""
        form = self.label.replace("/", "-").replace(" ", "-")
        return f"{self.subject.name}.ipv{self.family}.{form}"
