"""`docs/faults.md`: what can be done to a lab, and how it is shown to have happened."""

from __future__ import annotations

import dataclasses

from iolab.harness.faults.registry import load_faults
from iolab.harness.lab.fault import Fault

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
    faults = load_faults()
    return HEAD + "".join(_row(faults[name]) for name in sorted(faults))


def _row(fault: type[Fault]) -> str:
    fields = [
        f"`{field.name}`"
        for field in dataclasses.fields(fault)  # type: ignore[arg-type]
    ]
    needs = ", ".join(f"`{need}`" for need in fault.needs) or "nothing"
    cells = (f"`{fault.name}`", fault.what, fault.shown_by, ", ".join(fields) or "none", needs)
    return f"| {' | '.join(cells)} |\n"
