"""What all parts of the live view look alike in: colours, titles, tables, names of clients."""

from __future__ import annotations

import io

from rich.console import Console
from rich.table import Table
from rich.text import Text

from iolab.harness.live.state import State

QUIET = "bright_black"

MEASURE = Console(file=io.StringIO())
"""Wraps texts to know their height, and prints nothing."""

# Away from red, yellow and green, which tell how a connection is doing.
_COLOURS = (
    *("sky_blue2", "plum2", "turquoise2", "light_salmon1", "medium_purple1", "dark_sea_green2"),
    *("tan", "deep_pink3", "steel_blue1", "light_goldenrod2"),
)


def note(text: str) -> Text:
    """What stands at the end of a title."""
    return Text(text, style=QUIET)


def heading(title: str, note: Text, width: int) -> Text:
    """A part's title, a line, and a note at its end."""
    note.truncate(max(0, width - len(title) - 4), overflow="ellipsis")
    room = width - len(title) - 1 - (note.cell_len + 1 if note else 0)
    line = Text.assemble((title, "bold"), " ", ("─" * max(0, room), QUIET), no_wrap=True)
    return line.append(" ").append_text(note) if note else line


def table(header: bool = False) -> Table:
    """A table without lines, as wide as there is room."""
    return Table(
        box=None,
        show_header=header,
        header_style=QUIET,
        expand=True,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )


def named(state: State, name: str) -> Text:
    """The client's name, with its colour."""
    return Text.assemble(("● " if name in state.clients else "", _colour(state, name)), name)


def signed(state: State, name: str | None, number: int | None) -> Text:
    """The client's name with the number that the server has given to the connection."""
    text = named(state, name) if name else Text("")
    if number is not None:
        text.append(f" #{number}" if name else f"#{number}", QUIET)
    return text


def _colour(state: State, name: str) -> str:
    client = state.clients.get(name)
    return _COLOURS[client.place % len(_COLOURS)] if client else "default"
