"""What a subject cannot do by its nature: stated in its manifest, and asserted exactly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from iolab.harness.judge.verdict import Side


@dataclass(frozen=True)
class Nature:
    """`fails[label] = (verdict, reason)`; the label is a scenario's ID, or one playing's name."""

    fails: Mapping[str, tuple[Side, str]] = field(default_factory=dict)
