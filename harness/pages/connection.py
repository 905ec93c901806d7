"""`docs/connection.md`: the life of one connection, drawn from the table that decides it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import partial

from iolab.harness.pictures.svg import INK, QUIET, head, path, rect, text
from iolab.server.connection import CLOSED, TRANSITIONS, Event, State

PAGE, PICTURE = "docs/connection.md", "docs/connection.svg"

INTRODUCTION = """\
<!-- Made by `python -m iolab docs` from server/connection.py; do not edit. -->
# The life of a connection

What a server of ours does with a connection is decided in one place for all models:
`server/connection.py`, a state machine without any IO. A model moves bytes between the socket and
this machine, and tells it what has happened; the table below says what follows. An event that has
no entry in the row of the state cannot happen there: if a model reports it all the same, that is a
fault of the model, and the error names the state and the event.

![The states of a connection, and what leads from one to another](connection.svg)
"""

# Where each state is drawn, in columns from the left and rows from the top.
PLACES = {
    "OPEN": (0, 1),
    "STOPPING": (1, 1),
    "CLOSE_WAIT": (2, 0),
    "FLUSHING": (1, 2),
    "FIN_DUE": (2, 1),
    "FIN_WAIT": (3, 1),
    "CLOSED": (4, 1),
}

LEFT, TOP = 20, 24
COLUMN, ROW = 232, 128
BOX_WIDE, BOX_HIGH = 124, 54
BOX, END = "#d6e2f1", "#e4e8ec"


def pages() -> Mapping[str, partial[str]]:
    """The page and its picture, by name."""
    return {PAGE: partial(_page), PICTURE: partial(draw)}


def _page() -> str:
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield INTRODUCTION
    yield "| state | what it means | the socket meanwhile, in the words of RFC 9293 |"
    yield "| --- | --- | --- |"
    for state in State:
        means, _, tcp = state.value.removesuffix("]").partition(" [")
        yield f"| `{state.name}` | {means} | {tcp or 'none: it is closed'} |"
    yield ""
    yield "| event | what has happened |"
    yield "| --- | --- |"
    for event in Event:
        yield f"| `{event.name}` | {event.value} |"
    yield ""
    yield "Each cell is the state that follows; an empty one is an error."
    yield ""
    yield f"| in | {' | '.join(f'`{event.name}`' for event in Event)} |"
    yield f"| --- |{' --- |' * len(Event)}"
    for state in State:
        targets = (TRANSITIONS[state].get(event) for event in Event)
        cells = (f"`{target.name}`" if target else "" for target in targets)
        yield f"| `{state.name}` | {' | '.join(cells)} |"


def draw() -> str:
    """The SVG document."""
    return "\n".join(_marks()) + "\n"


def _marks() -> Iterator[str]:
    columns, rows = (max(place[axis] for place in PLACES.values()) + 1 for axis in (0, 1))
    width = 2 * LEFT + (columns - 1) * COLUMN + BOX_WIDE
    height = 2 * TOP + (rows - 1) * ROW + BOX_HIGH + 40
    yield from head(width, height, "The states of a connection")
    everywhere = _everywhere()
    for state, row in TRANSITIONS.items():
        for event, target in row.items():
            if target is not state and event not in everywhere:
                yield from _arrow(state, target, event.name)
    for state in State:
        yield from _box(state)
    notes = [
        f"{event.name} leads from every state to {to.name}" for event, to in everywhere.items()
    ]
    yield text(LEFT, height - 16, "; ".join(notes), colour=QUIET)
    yield "</svg>"


def _everywhere() -> dict[Event, State]:
    """The events that lead to one and the same state from wherever it can still go on."""
    found = {}
    for event in Event:
        targets = {row.get(event) for state, row in TRANSITIONS.items() if row}
        target = targets.pop()
        if not targets and target is not None:
            found[event] = target
    return found


def _box(state: State) -> Iterator[str]:
    x, y = _middle(state)
    left, top = x - BOX_WIDE / 2, y - BOX_HIGH / 2
    yield rect(left, top, BOX_WIDE, BOX_HIGH, END if state is CLOSED else BOX)
    stays = [event.name for event, target in TRANSITIONS[state].items() if target is state]
    yield text(x, y - 4 if stays else y + 4, state.name, anchor="middle", size=13, weight="bold")
    if stays:
        told = f"stays: {', '.join(stays)}"
        yield text(x, y + 15, told, anchor="middle", size=9, colour=QUIET)


def _arrow(source: State, target: State, label: str) -> Iterator[str]:
    (x1, y1), (x2, y2) = _middle(source), _middle(target)
    if x1 == x2:
        down = math.copysign(BOX_HIGH / 2, y2 - y1)
        y1, y2 = y1 + down, y2 - down
    else:
        across = math.copysign(BOX_WIDE / 2, x2 - x1)
        x1, x2 = x1 + across, x2 - across
    yield f'<path d="M{x1:g} {y1:g}L{x2:g} {y2:g}" stroke="{INK}" fill="none"/>'
    # The head is drawn pointing to the right, and turned.
    turn = math.degrees(math.atan2(y2 - y1, x2 - x1))
    yield f'<g transform="translate({x2:g} {y2:g}) rotate({turn:.1f})">'
    yield path("M0 0l-9 -4v8z", INK) + "</g>"
    x, y = (x1 + x2) / 2, (y1 + y2) / 2
    wide = len(label) * 6.3 + 6
    yield rect(x - wide / 2, y - 8, wide, 15, "#ffffff")
    yield text(x, y + 4, label, anchor="middle", size=10)


def _middle(state: State) -> tuple[float, float]:
    """The middle of a state's box."""
    column, row = PLACES[state.name]
    return LEFT + BOX_WIDE / 2 + column * COLUMN, TOP + BOX_HIGH / 2 + row * ROW
