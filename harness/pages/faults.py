"""`docs/faults.md`: what can be done to a lab, and how it is shown to have happened."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil

import iolab.harness.faults as package
from iolab.harness.faults.base import FAULTS, Fault

HEAD = """\
<!-- Made by `python -m iolab docs` from harness/faults/; do not edit. -->
# Faults

One fault, one file of `harness/faults/`. A fault holds when it was observed to hold, and is gone
when it was observed to be gone; where that cannot be shown, the verdict is `UNKNOWN`, never a
pass.

| fault | what is done | shown by | parameters | needs |
| --- | --- | --- | --- | --- |
"""


def page() -> str:
    """The whole page."""
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"iolab.harness.faults.{module.name}")
    return HEAD + "".join(_row(FAULTS[name]) for name in sorted(FAULTS))


def _row(fault: type[Fault]) -> str:
    fields = [
        f"`{field.name}`"
        for field in dataclasses.fields(fault)  # type: ignore[arg-type]
    ]
    needs = ", ".join(f"`{need}`" for need in fault.needs) or "nothing"
    cells = (f"`{fault.name}`", fault.what, fault.shown_by, ", ".join(fields) or "none", needs)
    return f"| {' | '.join(cells)} |\n"
