"""The parts of the live view: each makes what it shows, for a width and a number of rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from iolab.harness.live.log import Line
from iolab.harness.live.state import Client, Connection, State
from iolab.harness.live.style import MEASURE, QUIET, named, note, signed, table
from iolab.harness.live.words import STATE_STYLES, count, seconds, size

_INDENT = 2
_COUNTS = 12  # cells for messages and replies, so that the column stands still as they grow

_EVENT_STYLES = {
    "accepted": "green",
    "closed": "default",
    "refused": "bold yellow",
    "accept-failed": "bold red",
    "operator-mistake": "bold yellow",
    "message": "bold",
    "": "default",
}
# Why a connection was closed that ended well: by its client, by the server's own end, by whoever
# answers at the keyboard.
_GOOD_ENDS = ("eof", "shutdown", "operator")


def clients(state: State, rows: int, *, with_what: bool) -> RenderableType:
    """Every client and what it is doing; `with_what`: also what it is like."""
    lines: list[RenderableType] = []
    for one in list(state.clients.values())[:rows]:
        # Columns of fixed widths: the clients' tables stand below one another as one.
        columns = table()
        columns.add_column(width=2 + max(len(name) for name in state.clients))
        columns.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        columns.add_column(justify="right", no_wrap=True, min_width=_COUNTS)
        columns.add_column(justify="right", no_wrap=True, width=7)
        columns.add_row(named(state, one.name), _doing(state, one), *_figures(one, state.now))
        lines.append(columns)
        if with_what:
            lines.append(Padding(note(one.what), (0, 0, 0, _INDENT)))
    return Group(*lines)


def clients_rows(state: State, width: int) -> int:
    """How many rows the clients take when each says what it is like."""
    room = max(8, width - _INDENT)
    return sum(1 + len(note(one.what).wrap(MEASURE, room)) for one in state.clients.values())


def clients_note(state: State, rows: int) -> Text:
    """How many of them the server is connected with."""
    here = sum(state.open_of(name) > 0 for name in state.clients)
    note = Text(f"{here} of {len(state.clients)} connected", style=QUIET)
    return _shown(note, len(state.clients), rows)


def connections(state: State, width: int, rows: int) -> RenderableType:
    """The server's connections as the kernel has them, the first row being the column's names."""
    columns = table(header=True)
    columns.add_column("fd", justify="right", width=5)
    columns.add_column("whose", ratio=1, no_wrap=True, overflow="ellipsis")
    longest = max((len(_peer(row)) for row in state.connections), default=0)
    columns.add_column("peer", width=max(16, longest), no_wrap=True, overflow="ellipsis")
    columns.add_column("state", width=11, no_wrap=True, overflow="ellipsis")
    columns.add_column("recv-q", justify="right", width=6)
    columns.add_column("send-q", justify="right", width=6)
    columns.add_column("age", justify="right", width=6)
    for row in _most_telling(state.connections, rows - 1):
        columns.add_row(
            Text("queue", style="bold yellow") if row.fd is None else Text(str(row.fd)),
            _whose(state, row),
            Text(_peer(row), style=QUIET),
            Text(row.state, style=STATE_STYLES.get(row.state, "default")),
            _queue(row.recv_q),
            _queue(row.send_q),
            Text(seconds(row.age_s), style=QUIET),
        )
    return columns


def connections_note(state: State, rows: int) -> Text:
    """How many there are of each kind."""
    held = [row for row in state.connections if row.fd is not None]
    note = Text(f"{len(held)} open", style=QUIET)
    waiting = sum(row.waits_for_accept for row in state.connections)
    if waiting:
        note.append(f" · {waiting} not accepted", "bold yellow")
    for name, number in Counter(row.state for row in held if row.is_left).items():
        note.append(f" · {number} {name}", STATE_STYLES[name])
    for name, number in state.kernel_only.most_common(1):
        note.append(f" · {number} {name}", QUIET)
    return _shown(note, len(state.connections), rows - 1)


def log(state: State, rows: int) -> RenderableType:
    """The newest lines of the server's log, less the messages that wait for an answer."""
    lines = [line for line in state.log.lines if line.event != "message" or not state.log.operator]
    columns = table()
    columns.add_column(justify="right", width=6)
    columns.add_column(no_wrap=True)
    columns.add_column(no_wrap=True, max_width=24, overflow="ellipsis")
    columns.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    for line in lines[-rows:] if rows else ():
        columns.add_row(
            Text(f"{max(0.0, line.t - state.began):.1f}", style=QUIET),
            Text(line.event, style=_EVENT_STYLES.get(line.event, "cyan")),
            signed(state, line.client, line.number),
            _said(line),
        )
    return columns


def questions(state: State, rows: int) -> RenderableType:
    """The messages that wait for the operator, the oldest first."""
    waiting = state.log.questions
    if not waiting:
        return Text("nobody is waiting for an answer", style=QUIET)
    columns = table()
    columns.add_column(justify="right", width=5)
    columns.add_column(no_wrap=True)
    columns.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    columns.add_column(justify="right", width=6)
    for one in waiting[:rows]:
        columns.add_row(
            Text(str(one.number), style="bold"),
            named(state, one.client) if one.client else Text(""),
            Text(one.text),
            Text(seconds(state.now - one.t), style=QUIET),
        )
    return columns


def questions_note(state: State, rows: int) -> Text:
    """How many messages wait."""
    waiting = len(state.log.questions)
    note = Text(count(waiting, "message") if waiting else "", style=QUIET)
    return _shown(note, waiting, rows)


def present(state: State, rows: int) -> RenderableType:
    """Who was there when the operator asked."""
    columns = table()
    columns.add_column(justify="right", width=5)
    columns.add_column(no_wrap=True)
    columns.add_column(ratio=1, no_wrap=True)
    columns.add_column(justify="right", no_wrap=True)
    for one in state.log.listed[1][:rows]:
        columns.add_row(
            Text(str(one.number), style="bold"),
            named(state, one.client) if one.client else Text(""),
            Text(one.state, style=QUIET),
            Text(count(one.waiting, "message") + " waiting" if one.waiting else "", style=QUIET),
        )
    return columns


def present_note(state: State, rows: int) -> Text:
    """How many they were."""
    here = len(state.log.listed[1])
    return _shown(note(count(here, "client")), here, rows)


def _shown(note: Text, all_of_them: int, rows: int) -> Text:
    """The note, and how many there is room for if not for all."""
    return note.append(f", {max(0, rows)} shown", QUIET) if all_of_them > rows else note


def _most_telling(rows: Sequence[Connection], room: int) -> Sequence[Connection]:
    """Where not all fit: the left, the waiting and the busy first, in the same order as ever."""

    def dull(row: Connection) -> tuple[bool, bool, bool]:
        return not row.is_left, not row.waits_for_accept, not (row.recv_q or row.send_q)

    chosen = {id(row) for row in sorted(rows, key=dull)[: max(0, room)]}
    return [row for row in rows if id(row) in chosen]


def _whose(state: State, row: Connection) -> Text:
    if row.client is None:
        return Text("unknown", style=QUIET)
    return signed(state, row.client, row.number)


def _doing(state: State, client: Client) -> Text:
    text = Text(client.doing, no_wrap=True, overflow="ellipsis")
    if client.count > 1:
        text = Text.assemble((f"{state.open_of(client.name)}/{client.count} ", QUIET), text)
    if client.failures:
        failed = " ".join(f"{kind}×{times}" for kind, times in client.failures.most_common(2))
        text.append(f"  {failed}", "bold red")
    return text


def _figures(client: Client, now: float) -> tuple[Text, Text]:
    """Messages and right replies, and the pace of its requests."""
    if client.visitor or not client.messages:
        return Text(""), _pace(client, now)
    behind = "default" if client.messages == client.replies else "yellow"
    exchanged = Text.assemble(str(client.messages), (" → ", QUIET), (str(client.replies), behind))
    return exchanged, _pace(client, now)


def _pace(client: Client, now: float) -> Text:
    """How long its requests take, or how long the open one has been waiting if that is long."""
    waiting, usual = client.unanswered_s(now), client.latency_s
    if waiting is not None and waiting > max(1.0, 2 * (usual or 0.0)):
        return Text(seconds(waiting), style="bold yellow")
    return Text("" if usual is None else seconds(usual), style=QUIET)


def _peer(row: Connection) -> str:
    return f"{row.peer[0]}:{row.peer[1]}" if row.peer else "gone"


def _queue(number: int) -> Text:
    return Text(size(number), style="bold yellow") if number else Text("·", style=QUIET)


def ended_well(line: Line) -> bool:
    """Whether it tells of no connection that was closed for a bad reason."""
    return line.reason is None or line.reason in _GOOD_ENDS


def _said(line: Line) -> Text:
    text = Text(line.text)
    if not ended_well(line):
        text.stylize("yellow")
    return text
