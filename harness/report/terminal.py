"""The table at the end of a run: a row a scenario, and under each failure its evidence in words."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from iolab.harness.judge import SIDES

STYLES = {
    "OK": "green",
    "INFORMATIONAL": "cyan",
    "NON-STRICT": "yellow",
    "UNSUPPORTED": "dim",
    "UNKNOWN": "magenta",
    "FAILED": "bold red",
    "FAILED (by nature)": "blue",
}

Row = dict[str, Any]

# Where nobody looks at a terminal, lines may be as long as logs allow.
WIDTH = 160


class Summary:
    """A plugin of the run's main process: collects every playing, prints the table, writes JSON."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self.rows: list[Row] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        row: Row = dict(report.user_properties)
        if report.when == "call" and "scenario" in row:
            for name in ("attempts", "findings", "figures", "doubts", "observations"):
                row[name] = json.loads(row[name]) if name in row else []
            row["passed"] = report.outcome != "failed"
            row["seconds"] = float(row["seconds"]) if "seconds" in row else None
            row["ip"] = int(row["ip"])
            self.rows.append(row)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if not self.rows:
            return
        self.rows.sort(key=lambda row: (row["subject"], row["ip"], row["scenario"]))
        console = Console(
            file=terminalreporter._tw._file,
            force_terminal=terminalreporter.hasmarkup or None,
            width=terminalreporter._tw.fullwidth if terminalreporter.hasmarkup else WIDTH,
            highlight=False,
            emoji=False,
        )
        console.print(table(self.rows, console.width))
        for line in summary_lines(self.rows):
            console.print(line, soft_wrap=True)
        results = self._config.getoption("--results")
        if results:
            write_results(Path(results), self.rows)


def table(rows: list[Row], width: int = WIDTH) -> Table:
    """A row a scenario; the last column has what fits into `width` characters."""
    shown = Table(box=None, header_style="bold", pad_edge=False, show_edge=False)
    head = ("scenario", "subject", *SIDES, "time", "")
    body = [_cells(row) for row in rows]
    widest = [max(len(line[k]) for line in (head, *body)) for k in range(len(head) - 1)]
    room = max(10, width - sum(widest) - 2 * len(widest))
    for name in head:
        shown.add_column(name, no_wrap=True, justify="right" if name == "time" else "left")
    for *cells, remark in body:
        if len(remark) > room:
            remark = remark[: room - 1] + "…"
        styles = ["", "", *(STYLES[level] for level in cells[2:4]), "", ""]
        texts = [Text(cell, style) for cell, style in zip([*cells, remark], styles, strict=True)]
        shown.add_row(*texts)
    return shown


def _cells(row: Row) -> tuple[str, ...]:
    return (
        str(row["scenario"]),
        str(row["subject"]) + (" IPv6" if row["ip"] == 6 else ""),
        *(str(row[side]) for side in SIDES),
        "" if row["seconds"] is None else f"{row['seconds']:.1f} s",
        _remark(row),
    )


def _remark(row: Row) -> str:
    if row.get("reason"):
        return str(row["reason"])
    remarks = [f"{f['name']} {f['value']:g} {f['unit']}" for f in row["figures"]]
    if len(row["attempts"]) > 1:
        remarks.append(f"attempts: {', '.join(row['attempts'])}")
    if not row["passed"] or any("by nature" in str(row[side]) for side in SIDES):
        remarks += [finding["summary"] for finding in row["findings"][:1]]
    return "; ".join(remarks)


def summary_lines(rows: list[Row]) -> list[str]:
    """Likely causes first, then the evidence of each failure, then the counts."""
    lines = []
    failed = [row for row in rows if not row["passed"] and "reason" not in row]
    causes = Counter(cause for row in failed for cause in _causes(row))
    if causes:
        lines.append("\n[bold]Likely causes[/]")
        for cause, count in causes.most_common():
            where = [row["scenario"] for row in failed if cause in _causes(row)]
            also = f" and {len(where) - 3} more" if len(where) > 3 else ""
            lines.append(f"  {escape(cause)}: in {count} ({escape(', '.join(where[:3]))}{also})")
    for row in failed:
        lines.append(f"\n[bold]{escape(row['scenario'])}[/] against {escape(row['subject'])}")
        for finding in row["findings"]:
            style = STYLES[finding["level"]]
            lines.append(
                f"  {finding['side']}: [{style}]{finding['level']}[/] "
                f"({escape(finding['cause'])}): {escape(finding['summary'])}"
            )
            lines += [f"      {escape(line)}" for line in finding["evidence"]]
        lines += [f"  observations: {escape(path)}" for path in row["observations"][-1:]]
    levels = Counter(row[side] for row in rows for side in SIDES)
    again = [row for row in rows if len(row.get("attempts", ())) > 1]
    counts = ", ".join(f"{count} {level}" for level, count in sorted(levels.items()))
    lines.append(f"\n{len(rows)} playings, {len(rows) * len(SIDES)} verdicts: {counts}")
    if again:
        lines.append(f"played more than once: {', '.join(escape(r['scenario']) for r in again)}")
        for row in again:
            for level, doubts in zip(row["attempts"], row["doubts"], strict=True):
                why = f": {'; '.join(doubts)}" if doubts else ""
                lines.append(f"  {escape(row['scenario'])}: {level}{escape(why)}")
    return lines


def _causes(row: Row) -> set[str]:
    return {finding["cause"] for finding in row["findings"] if finding["level"] == "FAILED"}


RESULT_FIELDS = (
    "scenario",
    "title",
    "subject",
    "ip",
    *SIDES,
    "passed",
    "seconds",
    "attempts",
    "findings",
    "figures",
    "doubts",
    "observations",
    "reason",
)


def write_results(path: Path, rows: list[Row]) -> None:
    """One JSON record a playing (`docs/results.md`)."""
    records = [{name: row.get(name) for name in RESULT_FIELDS} for row in rows]
    path.write_text(json.dumps(records, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
