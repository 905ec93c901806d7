"""The tables at the end of a run."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from bench.bars import BARS
from bench.report.figures import BAR_COLUMNS, COLUMNS, Row, bar_rows, group_rows
from bench.run import Run

_STYLES = {"holds": "green", "short": "red", "disturbed": "magenta"}


def show(console: Console, run: Run) -> None:
    """A table for each group, and one of the bars that belong to these groups."""
    for group in run.groups:
        _print(console, group.title, COLUMNS, group_rows(group, run.results))
    entries = {(group.name, entry.name) for group in run.groups for entry in group.entries}
    bars = [
        bar
        for bar in BARS
        if (bar.group, bar.entry) in entries and (bar.group, bar.over or bar.entry) in entries
    ]
    if bars:
        _print(console, "Bars", BAR_COLUMNS, bar_rows(run.results, bars))
    if run.disturbance:
        console.print(run.disturbance, soft_wrap=True)


def _print(console: Console, title: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
    """A table, and under it the reasons for what is not in it."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column("", no_wrap=True)
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    for row in rows:
        if row.absent is None:
            table.add_row(row.title, *(_styled(cell) for cell in row.cells))
    if table.row_count:
        console.print(table)
    else:
        console.print(title, style="italic")
    for row in rows:
        if row.absent is not None:
            console.print(f"absent: {row.title} ({row.absent})", markup=False, soft_wrap=True)
    console.print()


def _styled(cell: str) -> str:
    return f"[{_STYLES[cell]}]{cell}[/]" if cell in _STYLES else cell
