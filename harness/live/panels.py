"""The parts of the live view: each makes what it shows, for a width and a number of rows."""

from __future__ import annotations

import io
import math
from collections import Counter
from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from harness.live.log import Line
from harness.live.state import REMEMBERED_S, RUNNING, Client, Connection, State, Thread
from harness.live.words import CALL_STYLES, STATE_STYLES, UNTIL, clock, count, seconds, size

# Away from red, yellow and green, which tell how a connection is doing.
_COLOURS = (
    *("sky_blue2", "plum2", "turquoise2", "light_salmon1", "medium_purple1", "dark_sea_green2"),
    *("tan", "deep_pink3", "steel_blue1", "light_goldenrod2"),
)
_QUIET = "bright_black"
_BARS = "▁▂▃▄▅▆▇█"
_INDENT = 2
_COUNTS = 12  # cells for messages and replies, so that the column stands still as they grow

NEWLY_S = 0.05
"""Of a sleep that was just seen to begin, nobody knows how long it has lasted."""

MEASURE = Console(file=io.StringIO())
"""Wraps texts to know their height, and prints nothing."""

_EVENT_STYLES = {
    "accepted": "green",
    "closed": "default",
    "refused": "bold yellow",
    "accept-failed": "bold red",
    "operator-mistake": "bold yellow",
    "message": "bold",
    "": "default",
}
# How a connection ended that did not end well.
_BAD_ENDS = ("reset", "timeout", "timed", "error", "grace", "oversize", "broken")


def note(text: str) -> Text:
    """What stands at the end of a title."""
    return Text(text, style=_QUIET)


def heading(title: str, note: Text, width: int) -> Text:
    """A part's title, a line, and a note at its end."""
    room = width - len(title) - 1 - (note.cell_len + 1 if note else 0)
    if room < 2:
        note, room = Text(), width - len(title) - 1
    line = Text.assemble((title, "bold"), " ", ("─" * max(0, room), _QUIET), no_wrap=True)
    return line.append(" ").append_text(note) if note else line


def header(state: State, width: int) -> Text:
    """The first line: what runs where, and how much time is left."""
    left = Text.assemble(
        (" iolab ", "bold reverse"), " ", (state.model, "bold"), "  ", (state.title, "italic")
    )
    ran = state.now - state.began
    right = Text(f"{state.backend}  ", style=_QUIET)
    if state.until is None:
        right.append(clock(ran), "bold")
    else:
        whole = state.until - state.began
        done = round(10 * min(1.0, ran / whole))
        right.append("━" * done, "cyan").append("━" * (10 - done), _QUIET)
        right.append(f" {clock(max(0.0, state.until - state.now))} left", "bold")
    left.truncate(max(0, width - right.cell_len - 1), overflow="ellipsis", pad=True)
    return Text.assemble(left, " ", right, no_wrap=True)


def server(state: State, width: int, rows: int) -> RenderableType:
    """What the server process is doing, has been doing, and what that costs."""
    lines = [_activity(state), _cost(state, width)]
    if rows > 2:
        lines.insert(1, _strip(state, width))
    lines += _other_threads(state)
    return Group(*lines[:rows])


def essay(state: State) -> Text:
    """What the model does while it waits, in the words of its own file; `code` is coloured."""
    text = Text(style="default")
    for place, piece in enumerate(state.essay.split("`")):
        text.append(piece, "cyan" if place % 2 else "")
    return text


def clients(state: State, rows: int, *, with_what: bool) -> RenderableType:
    """Every client and what it is doing; `with_what`: also what it is like."""
    lines: list[RenderableType] = []
    for one in list(state.clients.values())[:rows]:
        # Columns of fixed widths: the clients' tables stand below one another as one.
        table = _table()
        table.add_column(width=2 + max(len(name) for name in state.clients))
        table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        table.add_column(justify="right", no_wrap=True, min_width=_COUNTS)
        table.add_column(justify="right", no_wrap=True, width=7)
        table.add_row(_name(state, one.name), _doing(state, one), *_figures(one, state.now))
        lines.append(table)
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
    note = Text(f"{here} of {len(state.clients)} connected", style=_QUIET)
    return _shown(note, len(state.clients), rows)


def connections(state: State, width: int, rows: int) -> RenderableType:
    """The server's connections as the kernel has them, the first row being the column's names."""
    table = _table(header=True)
    table.add_column("fd", justify="right", width=5)
    table.add_column("whose", ratio=3, no_wrap=True, overflow="ellipsis")
    table.add_column("peer", ratio=4, no_wrap=True, overflow="ellipsis")
    table.add_column("state", width=12, no_wrap=True)
    table.add_column("recv-q", justify="right", width=6)
    table.add_column("send-q", justify="right", width=6)
    table.add_column("age", justify="right", width=6)
    for row in _most_telling(state.connections, rows - 1):
        table.add_row(
            Text("queue", style="bold yellow") if row.fd is None else Text(str(row.fd)),
            _whose(state, row),
            Text(f"{row.peer[0]}:{row.peer[1]}" if row.peer else "gone", style=_QUIET),
            Text(row.state, style=STATE_STYLES.get(row.state, "default")),
            _queue(row.recv_q),
            _queue(row.send_q),
            Text(seconds(row.age_s), style=_QUIET),
        )
    return table


def connections_note(state: State, rows: int) -> Text:
    """How many there are of each kind."""
    held = [row for row in state.connections if row.fd is not None]
    note = Text(f"{len(held)} open", style=_QUIET)
    waiting = sum(row.waits_for_accept for row in state.connections)
    if waiting:
        note.append(f" · {waiting} not accepted", "bold yellow")
    for name, number in Counter(row.state for row in held if row.is_left).items():
        note.append(f" · {number} {name}", STATE_STYLES[name])
    for name, number in state.kernel_only.most_common(1):
        note.append(f" · {number} {name}", _QUIET)
    return _shown(note, len(state.connections), rows - 1)


def log(state: State, rows: int) -> RenderableType:
    """The newest lines of the server's log."""
    table = _table()
    table.add_column(justify="right", width=6)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, max_width=24, overflow="ellipsis")
    table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    for line in list(state.log.lines)[-rows:] if rows else ():
        table.add_row(
            Text(f"{max(0.0, line.t - state.began):.1f}", style=_QUIET),
            Text(line.event, style=_EVENT_STYLES.get(line.event, "cyan")),
            _signed(state, line.client, line.number),
            _said(line),
        )
    return table


def questions(state: State, rows: int) -> RenderableType:
    """The messages that wait for the operator, the oldest first."""
    waiting = state.log.questions
    if not waiting:
        return Text("nobody is waiting for an answer", style=_QUIET)
    table = _table()
    table.add_column(justify="right", width=5)
    table.add_column(no_wrap=True)
    table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    table.add_column(justify="right", width=6)
    for one in waiting[:rows]:
        table.add_row(
            Text(str(one.number), style="bold"),
            _name(state, one.client) if one.client else Text(""),
            Text(one.text),
            Text(seconds(state.now - one.t), style=_QUIET),
        )
    return table


def questions_note(state: State, rows: int) -> Text:
    """How many messages wait."""
    waiting = len(state.log.questions)
    note = Text(count(waiting, "message") if waiting else "", style=_QUIET)
    return _shown(note, waiting, rows)


def footer(state: State, width: int) -> Text:
    """What the user can do."""
    if state.reply == "operator":
        hints = [("3 hello", "answers client 3"), ("list", ""), ("close 3", "")]
        if state.log.questions:
            hints[0] = (f"{state.log.questions[0].number} hello", "answers the oldest")
        hints += [("make client", "takes part"), ("Ctrl-C", "ends")]
    else:
        hints = [
            ("Ctrl-C", "ends"),
            ("make client", "takes part"),
            ("make lab REPLY=operator", "you answer"),
        ]
    text = Text(" ", no_wrap=True)
    for keys, what in hints:
        piece = Text.assemble((keys, "bold cyan"), (f" {what}" if what else "", _QUIET))
        if text.cell_len + piece.cell_len + 2 > width:
            break
        text.append_text(piece).append("   ")
    return text


def entry(state: State, width: int) -> Text:
    """The line that the operator types, with its cursor; of a long one, the part around it."""
    typed = state.typed or ""
    room = max(1, width - len(" answer ▸ ") - 1)
    start = max(0, state.cursor - room)
    shown = typed[start : start + room] + " "
    at = state.cursor - start
    return Text.assemble(
        (" answer ", "bold reverse cyan"),
        (" ▸ ", "cyan"),
        *(shown[:at], (shown[at], "reverse"), shown[at + 1 :]),
        no_wrap=True,
    )


def doing(thread: Thread) -> Text:
    """What a thread is doing: in which call, on which descriptor, for how long, until what."""
    if thread.state in "Tt":
        return Text("stopped", style="bold yellow")
    if thread.syscall is None:
        return Text("running on the CPU", style="bold green")
    text = Text.assemble("asleep in ", (thread.syscall, "bold cyan"))
    if thread.fd is not None:
        text.append(f"({thread.fd})")
    if thread.since_s is not None and thread.since_s > NEWLY_S:
        text.append(f" for {seconds(thread.since_s)}")
    until = UNTIL.get(thread.syscall)
    if until:
        text.append(f" until {until.format(who=thread.of or 'one client')}", _QUIET)
    return text


def _activity(state: State) -> Text:
    main = state.main
    if main is None:
        return Text("● no process", style="bold red")
    text = Text("● ", style="blue" if main.syscall else "green").append_text(doing(main))
    text.no_wrap, text.overflow = True, "ellipsis"
    return text


def _cost(state: State, width: int) -> Text:
    recent = state.recent()
    newest = state.recent(1.0) or recent[-1:]
    cpu = sum(one.cpu for one in newest) / max(1, len(newest))
    wakeups = sum(one.wakeups for one in newest) / max(1, len(newest))
    bars = max(0, min(24, width - 62))
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append("CPU", _QUIET).append(f"{cpu:6.1%}", "bold red" if cpu > 0.5 else "bold")
    text.append("   wake-ups ", _QUIET).append(f"{wakeups:.0f}/s ", "bold")
    # As powers: between ten wake-ups and ten thousand lie all models.
    text.append(_spark([math.log10(1 + one.wakeups) for one in recent], 4.0, bars), "cyan")
    threads = f"   {len(state.threads)} threads" if len(state.threads) > 2 else ""
    memory = f"   memory {size(state.rss)}B   {state.descriptors} descriptors{threads}"
    text.append(memory, _QUIET)
    return text


def _strip(state: State, width: int) -> Text:
    """The last seconds, from left to right: the colour is the call, the height how busy it was."""
    legend = Text(no_wrap=True, overflow="ellipsis")
    for (call, of), share in list(state.shares().items())[: 2 if width < 100 else 3]:
        legend.append(" ■ ", _call_style(call)).append(f"{call}" + (f" ({of})" if of else ""))
        legend.append(f" {share:.0%}", _QUIET)
    cells = max(10, min(60, width - 42))
    text = Text(no_wrap=True, overflow="ellipsis")
    for call, busy in strip(state, cells):
        text.append(_BARS[round(busy * (len(_BARS) - 1))] if call else " ", _call_style(call))
    return text.append_text(legend)


def strip(state: State, cells: int) -> list[tuple[str, float]]:
    """For each slice of the last seconds: the call that the main thread was in most, and how much
    of the slice it was running; an empty name where nothing is known."""
    slice_s = REMEMBERED_S / cells
    newest = state.spans[-1].until if state.spans else state.now
    first = newest - REMEMBERED_S
    lasted: list[dict[str, float]] = [{} for _ in range(cells)]
    for span in state.spans:
        place = max(0, int((span.since - first) / slice_s))
        while place < cells and first + place * slice_s < span.until:
            begin = first + place * slice_s
            overlap = min(span.until, begin + slice_s) - max(span.since, begin)
            if overlap > 0:
                lasted[place][span.call] = lasted[place].get(span.call, 0.0) + overlap
            place += 1
    return [
        (max(calls, key=calls.__getitem__), calls.get(RUNNING, 0.0) / sum(calls.values()))
        if calls
        else ("", 0.0)
        for calls in lasted
    ]


def _call_style(call: str) -> str:
    return CALL_STYLES.get(call, "default")


def _other_threads(state: State) -> list[Text]:
    """The server's other threads, alike ones together."""
    others = [one for one in state.threads if one.tid != state.pid]
    kinds = Counter(
        (one.syscall or RUNNING, one.of if one.syscall != "futex" else None) for one in others
    )
    lines = []
    for (call, of), number in kinds.most_common():
        words = count(number, "more thread") + (
            " running" if call == RUNNING else f" asleep in {call}"
        )
        lines.append(Text(words + (f" ({of})" if of else ""), style=_QUIET, no_wrap=True))
    return lines


def _spark(values: Sequence[float], full: float, width: int) -> str:
    """The newest values as bars, `full` being the highest."""
    newest = values[-width:] if width else ()
    top = len(_BARS) - 1
    bars = "".join(_BARS[min(top, round(top * value / full))] if full else "▁" for value in newest)
    return bars.rjust(width)


def _table(header: bool = False) -> Table:
    return Table(
        box=None,
        show_header=header,
        header_style=_QUIET,
        expand=True,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )


def _shown(note: Text, all_of_them: int, rows: int) -> Text:
    """The note, and how many there is room for if not for all."""
    return note.append(f", {max(0, rows)} shown", _QUIET) if all_of_them > rows else note


def _most_telling(rows: Sequence[Connection], room: int) -> Sequence[Connection]:
    """Where not all fit: the left, the waiting and the busy first, in the same order as ever."""

    def dull(row: Connection) -> tuple[bool, bool, bool]:
        return not row.is_left, not row.waits_for_accept, not (row.recv_q or row.send_q)

    chosen = {id(row) for row in sorted(rows, key=dull)[: max(0, room)]}
    return [row for row in rows if id(row) in chosen]


def _colour(state: State, name: str) -> str:
    client = state.clients.get(name)
    return _COLOURS[client.place % len(_COLOURS)] if client else "default"


def _name(state: State, name: str) -> Text:
    return Text.assemble(("● " if name in state.clients else "", _colour(state, name)), name)


def _signed(state: State, name: str | None, number: int | None) -> Text:
    text = _name(state, name) if name else Text("")
    if number is not None:
        text.append(f" #{number}" if name else f"#{number}", _QUIET)
    return text


def _whose(state: State, row: Connection) -> Text:
    if row.client is None:
        return Text("unknown", style=_QUIET)
    return _signed(state, row.client, row.number)


def _doing(state: State, client: Client) -> Text:
    text = Text(client.doing, no_wrap=True, overflow="ellipsis")
    if client.count > 1:
        text = Text.assemble((f"{state.open_of(client.name)}/{client.count} ", _QUIET), text)
    if client.failures:
        failed = " ".join(f"{kind}×{times}" for kind, times in client.failures.most_common(2))
        text.append(f"  {failed}", "bold red")
    return text


def _figures(client: Client, now: float) -> tuple[Text, Text]:
    """Messages and right replies, and the pace of its requests."""
    if client.visitor or not client.messages:
        return Text(""), _pace(client, now)
    behind = "default" if client.messages == client.replies else "yellow"
    exchanged = Text.assemble(str(client.messages), (" → ", _QUIET), (str(client.replies), behind))
    return exchanged, _pace(client, now)


def _pace(client: Client, now: float) -> Text:
    """How long its requests take, or how long the open one has been waiting if that is long."""
    waiting, usual = client.unanswered_s(now), client.latency_s
    if waiting is not None and waiting > max(1.0, 2 * (usual or 0.0)):
        return Text(seconds(waiting), style="bold yellow")
    return Text("" if usual is None else seconds(usual), style=_QUIET)


def _queue(number: int) -> Text:
    return Text(size(number), style="bold yellow") if number else Text("·", style=_QUIET)


def _said(line: Line) -> Text:
    text = Text(line.text)
    if line.event == "closed" and line.text.startswith(_BAD_ENDS):
        text.stylize("yellow")
    return text
