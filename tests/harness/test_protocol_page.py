"""`docs/protocol.md` lists what can be said: no step, condition or op is missing, or made up."""

from __future__ import annotations

import re

import pytest

from iolab.client.script import KINDS
from iolab.harness.beside.probe.conditions import CONDITIONS
from iolab.harness.places import ROOT


def named(column: str) -> list[str]:
    """What the first column of the table so headed names."""
    text = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")
    _, _, table = text.partition(f"| {column} | fields | ")
    rows = table.partition("\n\n")[0].splitlines()[2:]
    return [name for row in rows for name in re.findall(r"`([^`]+)`", row.split("|")[1])]


@pytest.mark.parametrize(("column", "known"), [("do", KINDS), ("condition", CONDITIONS)])
def test_its_table_names_all_of_them_and_no_other(column: str, known: dict[str, type]) -> None:
    assert sorted(named(column)) == sorted(known)
