"""The server's process in the live view: what it does, has been doing, and what that costs."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from iolab.harness.live.state import REMEMBERED_S, RUNNING, State, Thread
from iolab.harness.live.style import QUIET
from iolab.harness.live.words import CALL_STYLES, UNTIL, count, seconds, size

NEWLY_S = 0.05
"""Of a sleep that was just seen to begin, nobody knows how long it has lasted."""

_BARS = "▁▂▃▄▅▆▇█"


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
        text.append(f" until {until.format(who=thread.of or 'one client')}", QUIET)
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
    bars = min(24, width - 62) if width > 68 else 0
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append("CPU", QUIET).append(f"{cpu:6.1%}", "bold red" if cpu > 0.5 else "bold")
    text.append("  wake-ups ", QUIET).append(f"{wakeups:.0f}/s ", "bold")
    # As powers: between ten wake-ups and ten thousand lie all models.
    text.append(_spark([math.log10(1 + one.wakeups) for one in recent], 4.0, bars), "cyan")
    threads = f"  {len(state.threads)} threads" if len(state.threads) > 2 else ""
    memory = f"  memory {size(state.rss)}B  {state.descriptors} descriptors{threads}"
    text.append(memory, QUIET)
    return text


def _strip(state: State, width: int) -> Text:
    """The last seconds, from left to right: the colour is the call, the height how busy it was."""
    legend = Text(no_wrap=True, overflow="ellipsis")
    for (call, of), share in list(state.shares().items())[: 2 if width < 100 else 3]:
        legend.append(" ■ ", _call_style(call)).append(f"{call}" + (f" ({of})" if of else ""))
        legend.append(f" {share:.0%}", QUIET)
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
        lines.append(Text(words + (f" ({of})" if of else ""), style=QUIET, no_wrap=True))
    return lines


def _spark(values: Sequence[float], full: float, width: int) -> str:
    """The newest values as bars, `full` being the highest."""
    newest = values[-width:] if width else ()
    top = len(_BARS) - 1
    bars = "".join(_BARS[min(top, round(top * value / full))] if full else "▁" for value in newest)
    return bars.rjust(width)
