"""The live view, a pure function of the state: the parts put together for any terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.layout import Layout
from rich.text import Text

from iolab.harness.live import frame, panels, process, style
from iolab.harness.live.rows import Wish, allot
from iolab.harness.live.state import State

# From here on there is room for two columns, and for what the model does while it waits.
WIDE, TALL = 118, 30

# Below this, the log and the clients are left out before lines become unreadable.
NARROWEST = 20

# From so many rows on, an empty one stands between two parts.
AIRY = 28

LISTED_FOR_S = 8.0
"""How long the answer to `list` stands in place of the questions."""

_PLENTY = 10_000
_GAP = 3


@dataclass(frozen=True)
class Part:
    """A titled part; `note` and `body` are made for (width, and) the rows below the title."""

    title: str
    note: Callable[[int], Text]
    body: Callable[[int, int], RenderableType]
    wish: Wish


def view(state: State, width: int, height: int) -> RenderableType:
    """The whole view, `width` cells by `height` rows."""
    width = max(width, NARROWEST)
    bottom = [frame.footer(state, width)]
    if state.typed is not None:
        bottom.insert(0, frame.entry(state, width))
    rows = max(0, height - 1 - len(bottom))
    if width >= WIDE and height >= TALL:
        body = _two_columns(state, width, rows)
    else:
        body = _column(
            [_server(state), _clients(state), _connections(state), *_words(state, rows)],
            width,
            rows,
        )
    whole = Layout()
    whole.split_column(
        Layout(frame.header(state, width), size=1),
        Layout(body, size=rows),
        Layout(Group(*bottom), size=len(bottom)),
    )
    return whole


def _two_columns(state: State, width: int, rows: int) -> Layout:
    """Left who takes part and how the server waits, right what kernel and server say of it."""
    left_width = (width - _GAP) * 45 // 100
    both = Layout()
    both.split_row(
        Layout(_column(_left(state, left_width, rows), left_width, rows), size=left_width),
        Layout(Text(" "), size=_GAP),
        Layout(
            _column([_connections(state), *_words(state, rows)], width - _GAP - left_width, rows)
        ),
    )
    return both


def _left(state: State, width: int, rows: int) -> list[Part]:
    server, essay = _server(state), _essay(state, width)
    full = 1 + panels.clients_rows(state, width)
    with_what = rows >= server.wish.most + full + essay.wish.most + 2
    return [server, _clients(state, full if with_what else 0), essay]


def _column(parts: Sequence[Part], width: int, rows: int) -> Layout:
    between = 1 if rows >= AIRY else 0
    given = allot(rows - between * (len(parts) - 1), [part.wish for part in parts])
    regions: list[Layout] = []
    for part, got in zip(parts, given, strict=True):
        if not got:
            continue
        if regions and between:
            regions.append(Layout(Text(" "), size=1))
        title = style.heading(part.title, part.note(got - 1), width)
        regions.append(Layout(title, size=1))
        regions.append(Layout(part.body(width, got - 1), size=got - 1))
    regions.append(Layout(Text(" ")))
    column = Layout()
    column.split_column(*regions)
    return column


def _server(state: State) -> Part:
    return Part(
        "server",
        lambda rows: style.note(f"pid {state.pid}" if state.pid else ""),
        lambda width, rows: process.server(state, width, rows),
        Wish(3, 4, 4 + min(3, len(state.threads))),
    )


def _clients(state: State, full: int = 0) -> Part:
    """Of `full` rows, if there is room for what each is like."""
    here = 1 + len(state.clients)
    return Part(
        "clients",
        lambda rows: panels.clients_note(state, rows),
        lambda width, rows: panels.clients(state, rows, with_what=bool(full)),
        Wish(3, full or min(here, 4 if _has_operator(state) else 9), full or here),
    )


def _connections(state: State) -> Part:
    sockets = max(4, len(state.connections) + 2)
    return Part(
        "connections in the kernel",
        lambda rows: panels.connections_note(state, rows),
        lambda width, rows: panels.connections(state, width, rows),
        Wish(4, min(sockets, 5 if _has_operator(state) else 8), sockets),
    )


def _words(state: State, rows: int) -> list[Part]:
    """What server and clients say; what waits for an answer stands above where it is typed."""
    operator = _has_operator(state)
    log = Part(
        "the server's log",
        lambda rows: style.note(""),
        lambda width, rows: panels.log(state, rows),
        Wish(3, 3 if operator else 5, _PLENTY),
    )
    if not operator:
        return [log]
    asked_at, listed = state.log.listed
    if state.now - asked_at < LISTED_FOR_S:
        here = len(listed) + 1
        who = Part(
            "who is here",
            lambda rows: panels.present_note(state, rows),
            lambda width, rows: panels.present(state, rows),
            Wish(min(here, 9), here, here),
        )
        # Whoever asks wants to see them all, also where that leaves no room for the log.
        return [log, who] if rows >= AIRY else [who]
    questions = Part(
        "waiting for your answer",
        lambda rows: panels.questions_note(state, rows),
        lambda width, rows: panels.questions(state, rows),
        Wish(3, 6, max(6, len(state.log.questions) + 1)),
    )
    return [log, questions]


def _has_operator(state: State) -> bool:
    return state.reply == "operator"


def _essay(state: State, width: int) -> Part:
    text = process.essay(state)
    lines = len(text.wrap(style.MEASURE, width))
    return Part(
        f"what {state.model} does while it waits",
        lambda rows: style.note(""),
        lambda width, rows: text,
        Wish(4, lines + 1, lines + 1),
    )
