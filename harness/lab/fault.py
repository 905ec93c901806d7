"""The contract of a fault: something done to a lab from outside the scripts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import fields as dataclass_fields
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from iolab.harness.lab.lab import Lab

Seen = dict[str, Any]


class Unproven(Exception):
    """A circumstance or fault could not be shown to hold: the verdict is UNKNOWN."""


class Fault(ABC):
    """A dataclass whose fields are its parameters, with units in their names.

    A fault is brought about and taken away through `Lab.inject` and `Lab.heal`, which put on record
    what was seen.
    """

    name: ClassVar[str]
    what: ClassVar[str]
    shown_by: ClassVar[str]
    needs: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def inject(self, lab: Lab) -> Seen:
        """Bring it about; returns once it was observed to hold, with what was seen.

        Raises Unproven when it cannot be shown to hold.
        """

    @abstractmethod
    def heal(self, lab: Lab) -> Seen:
        """Take it away; returns once it was observed to be gone, with what was seen.

        Raises Unproven when it cannot be shown to have held all the while, or to be gone.
        """

    def fields(self) -> dict[str, Any]:
        """The parameters, for the record."""
        return {
            field.name: getattr(self, field.name)
            for field in dataclass_fields(self)  # type: ignore[arg-type]
            if field.repr
        }
