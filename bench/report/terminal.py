"""The tables at the end of a run."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bench.bars import BARS
from bench.report.figures import BAR_COLUMNS, COLUMNS, Row, bar_rows, group_rows
from bench.run import Run

_STYLES = {"holds": "green", "short": "red"}


def show(console: Console, run: Run) -> None:
    """A table for each group, and one of the bars that belong to these groups."""
    for group in run.groups:
        console.print(_table(group.title, COLUMNS, group_rows(group, run.results)))
        console.print()
    entries = {(group.name, entry.name) for group in run.groups for entry in group.entries}
    bars = [
        bar
        for bar in BARS
        if (bar.group, bar.entry) in entries and (bar.group, bar.over or bar.entry) in entries
    ]
    if bars:
        console.print(_table("Bars", BAR_COLUMNS, bar_rows(run.results, bars)))


def _table(title: str, columns: Sequence[str], rows: Sequence[Row]) -> Table:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column("", no_wrap=True)
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    for row in rows:
        if row.absent is None:
            cells = (
                f"[{_STYLES[cell]}]{cell}[/]" if cell in _STYLES else cell for cell in row.cells
            )
            table.add_row(row.title, *cells)
        else:
            table.add_row(row.title, "absent")
    reasons = [f"{row.title}: {row.absent}" for row in rows if row.absent is not None]
    if reasons:
        table.caption = escape("\n".join(reasons))
        table.caption_justify = "left"
    return table
