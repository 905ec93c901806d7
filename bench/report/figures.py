"""What the tables say, in words, for the terminal and for the page alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from bench.bars import BARS, Bar
from bench.contestants import CONTESTANTS
from bench.plan import Entry, Group
from bench.rounds import Results

COLUMNS = (
    "messages/s",
    "least … greatest",
    "CPU µs",
    "server",
    "client",
    "memory",
    "others",
)
"""Messages a second, median and spread; medians of the server's CPU a message, of the parts of
their cores that server and client used, of the memory that a connection added in bytes, and of the
cores that others kept busy."""

BAR_COLUMNS = ("median", "least … greatest", "by CPU", "bar", "")
"""`by CPU` is what a ratio of rates would be by the CPU that the servers took."""


@dataclass(frozen=True)
class Row:
    """A line of a table; `absent` says why there are no cells."""

    title: str
    cells: tuple[str, ...]
    absent: str | None = None


def group_rows(group: Group, results: Results) -> list[Row]:
    """A row for each entry, quickest first, and then who is absent."""
    rows = []
    for entry in group.entries:
        key = group.name, entry.name
        measured = results.rounds.get(key)
        if not measured:
            why = results.absent.get(key, "not measured")
            rows.append((0.0, Row(title(entry), (), why)))
            continue
        samples = [m.sample for m in measured]
        rate = median(s.rate for s in samples)
        cells = (
            f"{rate:,.0f}",
            spread([s.rate for s in samples], 0),
            f"{median(s.cost_us for s in samples):.2f}",
            f"{median(s.server_cpu_s / s.seconds for s in samples):.0%}",
            f"{median(s.client_cpu_s / s.seconds for s in samples):.0%}",
            _median([m.memory for m in measured], ",.0f"),
            _median([m.others for m in measured], ".0%"),
        )
        rows.append((rate, Row(title(entry), cells)))
    return [row for _, row in sorted(rows, key=lambda ranked: -ranked[0])]


def bar_rows(results: Results, bars: Sequence[Bar] = BARS) -> list[Row]:
    """A row for each bar; what was not measured is absent, with the reason."""
    return [_bar(bar, results) for bar in bars]


def _bar(bar: Bar, results: Results) -> Row:
    figures = bar.figures(results)
    if not figures:
        names = [name for name in (bar.entry, bar.over) if name is not None]
        reasons = [results.absent.get((bar.group, name)) for name in names]
        return Row(bar.title, (), next(filter(None, reasons), "not measured"))
    by_cpu = bar.by_cpu(results)
    cells = (
        f"{median(figures):.{bar.digits}f}{bar.unit}",
        spread(figures, bar.digits),
        f"{median(by_cpu):.{bar.digits}f}" if by_cpu else "",
        f"{'≤' if bar.at_most else '≥'} {bar.limit:g}{bar.unit}",
        bar.outcome(results),
    )
    return Row(bar.title, cells)


def spread(values: Sequence[float], digits: int) -> str:
    """The least and the greatest, if there are several."""
    if len(values) == 1:
        return ""
    return f"{min(values):,.{digits}f} … {max(values):,.{digits}f}"


def _median(values: Sequence[float | None], form: str) -> str:
    known = [value for value in values if value is not None]
    return f"{median(known):{form}}" if known else ""


def title(entry: Entry) -> str:
    """What an entry is called: its contestant, unless it has a name of its own."""
    return CONTESTANTS[entry.name].title if entry.name in CONTESTANTS else entry.name
