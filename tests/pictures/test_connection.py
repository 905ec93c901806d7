"""The page of the connection's states: it shows the table that decides, and nothing else."""

from __future__ import annotations

from collections import Counter
from xml.etree import ElementTree

import pytest

from iolab.harness.pages import connection as page
from iolab.server.connection import CLOSED, DATA, FIN_DUE, FLUSHING, TRANSITIONS, Event, State

SVG = "{http://www.w3.org/2000/svg}"


def texts() -> Counter[str]:
    """All that is written in the picture; it must be XML."""
    return Counter(
        node.text or "" for node in ElementTree.fromstring(page.draw()).iter(f"{SVG}text")
    )


def test_every_state_and_every_way_from_one_to_another_is_drawn_once() -> None:
    moves = Counter(
        event.name
        for state, row in TRANSITIONS.items()
        for event, target in row.items()
        if target is not state and event is not Event.ABORT
    )
    expected = moves + Counter(state.name for state in State)
    assert expected <= texts()
    assert texts()[f"ABORT leads from every state to {CLOSED.name}"] == 1


def test_a_new_entry_of_the_table_is_a_new_arrow(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "DATA" not in texts()
    monkeypatch.setitem(TRANSITIONS[FLUSHING], DATA, FIN_DUE)
    assert texts()["DATA"] == 1


def test_the_page_has_a_row_for_each_state_with_what_follows() -> None:
    text = page.pages()[page.PAGE]()
    rows = {
        cells[1].strip(" `"): [cell.strip(" `") for cell in cells[2:-1]]
        for cells in (line.split("|") for line in text.splitlines() if line.startswith("| `"))
        if len(cells) == len(Event) + 3
    }
    assert rows == {
        state.name: [row[event].name if event in row else "" for event in Event]
        for state, row in TRANSITIONS.items()
    }
