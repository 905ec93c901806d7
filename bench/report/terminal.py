"""The tables at the end of a run."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from rich.console import Console
from rich.table import Table

from bench.bars import BARS, Bar
from bench.contestants import CONTESTANTS
from bench.plan import Group
from bench.rounds import Results

COLUMNS = ("messages/s", "least … greatest", "CPU µs", "server", "client", "others", "B each")


def show(console: Console, groups: Sequence[Group], results: Results) -> None:
    """A table for each group, and one of the bars that were measured."""
    for group in groups:
        console.print(_group(group, results))
        console.print()
    bars = [(bar, figures) for bar in BARS if (figures := bar.figures(results))]
    if bars:
        console.print(_bars(bars, results))


def spread(values: Sequence[float], form: str) -> str:
    """The least and the greatest, if there are several."""
    return f"{min(values):{form}} … {max(values):{form}}" if len(values) > 1 else ""


def _group(group: Group, results: Results) -> Table:
    table = Table(title=group.title, title_justify="left", box=None, pad_edge=False)
    table.add_column("")
    for name in (
        "messages/s",
        "least … greatest",
        "CPU µs",
        "server",
        "client",
        "others",
        "B each",
    ):
        table.add_column(name, justify="right")
    for entry in group.entries:
        key = group.name, entry.name
        title = CONTESTANTS[entry.contestant].title if entry.name in CONTESTANTS else entry.name
        if key in results.absent:
            table.add_row(title, f"[dim]absent: {results.absent[key]}[/]")
            continue
        measured = results.rounds.get(key, [])
        if not measured:
            continue
        samples = [m.sample for m in measured]
        table.add_row(
            title,
            f"{median(s.rate for s in samples):,.0f}",
            spread([s.rate for s in samples], ",.0f"),
            f"{median(s.cost_us for s in samples):.2f}",
            f"{median(s.server_cpu_s / s.seconds for s in samples):.0%}",
            f"{median(s.client_cpu_s / s.seconds for s in samples):.0%}",
            f"{median(m.others for m in measured):.0%}",
            f"{median(m.memory for m in measured):,.0f}",
        )
    return table


def _bars(bars: Sequence[tuple[Bar, list[float]]], results: Results) -> Table:
    table = Table(title="Bars", title_justify="left", box=None, pad_edge=False)
    for name in ("", "median", "least … greatest", "bar", "", "by the server's CPU"):
        table.add_column(name, justify="right" if name else "left", no_wrap=True)
    for bar, figures in bars:
        form = ".0f" if bar.unit else ".3f"
        table.add_row(
            bar.title,
            f"{median(figures):{form}}{bar.unit}",
            spread(figures, form),
            f"{'≤' if bar.at_most else '≥'} {bar.limit:g}{bar.unit}",
            "[green]holds[/]" if bar.holds(figures) else "[red]short[/]",
            f"{median(by_cpu):.3f}" if (by_cpu := bar.by_cpu(results)) else "",
        )
    return table
