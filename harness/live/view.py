"""The live view, a pure function of the state: the parts put together for any terminal."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.console import Console, Group, RenderableType
from rich.layout import Layout
from rich.text import Text

from harness.live import panels
from harness.live.room import Wish, allot
from harness.live.state import State
from harness.live.words import count

# From here on there is room for two columns, and for what the model does while it waits.
WIDE, TALL = 118, 30

# Below this, the log and the clients are left out before lines become unreadable.
NARROWEST = 20

_PLENTY = 10_000
_GAP = 3
_MEASURE = Console(file=io.StringIO())  # wraps text to know its height, and prints nothing


@dataclass(frozen=True)
class Part:
    """A titled part: `body(width, rows)` makes what is below the title."""

    title: str
    note: str | Text
    body: Callable[[int, int], RenderableType]
    wish: Wish


def view(state: State, width: int, height: int) -> RenderableType:
    """The whole view, `width` cells by `height` rows."""
    width = max(width, NARROWEST)
    bottom = [panels.footer(state, width)]
    if state.typed is not None:
        bottom.insert(0, panels.entry(state, width))
    rows = max(0, height - 1 - len(bottom))
    if width >= WIDE and height >= TALL:
        body = _two_columns(state, width, rows)
    else:
        body = _column(_parts(state, width), width, rows)
    whole = Layout()
    whole.split_column(
        Layout(panels.header(state, width), size=1),
        Layout(body, size=rows),
        Layout(Group(*bottom), size=len(bottom)),
    )
    return whole


def _two_columns(state: State, width: int, rows: int) -> Layout:
    """Left who takes part, right what the kernel and the server say of it."""
    left_width = (width - _GAP) * 45 // 100
    server, clients, connections, *rest = _parts(state, left_width)
    essay = _essay(state, left_width)
    both = Layout()
    both.split_row(
        Layout(_column([server, clients, essay], left_width, rows), size=left_width),
        Layout(Text(" "), size=_GAP),
        Layout(_column([connections, *rest], width - _GAP - left_width, rows)),
    )
    return both


def _column(parts: Sequence[Part], width: int, rows: int) -> Layout:
    given = allot(rows, [part.wish for part in parts])
    spare = rows - sum(given)
    regions: list[Layout] = []
    for part, got in zip(parts, given, strict=True):
        if not got:
            continue
        if regions and spare:
            regions.append(Layout(Text(" "), size=1))
            spare -= 1
        title = panels.heading(part.title, part.note, width)
        regions.append(Layout(title, size=1))
        regions.append(Layout(part.body(width, got - 1), size=got - 1))
    regions.append(Layout(Text(" ")))
    column = Layout()
    column.split_column(*regions)
    return column


def _parts(state: State, width: int) -> list[Part]:
    pid = f"pid {state.pid}" if state.pid else ""
    here = sum(state.open_of(name) > 0 for name in state.clients)
    people, sockets = len(state.clients), len(state.connections)
    parts = [
        Part(
            "server",
            pid,
            lambda width, rows: panels.server(state, width, rows),
            Wish(3, 4, 4 + min(3, len(state.threads))),
        ),
        Part(
            "clients",
            f"{here} of {people} connected",
            lambda width, rows: panels.clients(state, width, rows),
            Wish(3, min(people + 1, 9), 1 + panels.clients_rows(state, width)),
        ),
        Part(
            "connections in the kernel",
            panels.connections_note(state),
            lambda width, rows: panels.connections(state, width, rows),
            Wish(4, min(sockets + 2, 8), max(4, sockets + 2)),
        ),
    ]
    if state.reply == "operator":
        waiting = len(state.log.questions)
        parts.append(
            Part(
                "waiting for your answer",
                count(waiting, "message") if waiting else "",
                lambda width, rows: panels.questions(state, rows),
                Wish(3, 5, max(5, waiting + 1)),
            )
        )
    parts.append(
        Part(
            "the server's log",
            "",
            lambda width, rows: panels.log(state, rows),
            Wish(2, 5, _PLENTY),
        )
    )
    return parts


def _essay(state: State, width: int) -> Part:
    text = panels.essay(state)
    lines = len(text.wrap(_MEASURE, width))
    return Part(
        f"what {state.model} does while it waits",
        "",
        lambda width, rows: text,
        Wish(4, lines + 1, lines + 1),
    )
