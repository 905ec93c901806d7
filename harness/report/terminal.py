"""The table at the end of a run: a row a scenario, and under it each failure with its evidence.

That is where a failure is told, once: in pytest's own list of them it has one line.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from iolab.harness.errors import STATUS_OF_BAD_INPUT
from iolab.harness.judge import SIDES, Level
from iolab.harness.judge.verdict import OF_THE_SUBJECT
from iolab.harness.report import results
from iolab.harness.report.results import BY_NATURE, Result, Run

STYLES = {
    "OK": "green",
    "INFORMATIONAL": "cyan",
    "NON-STRICT": "yellow",
    "UNSUPPORTED": "dim",
    "UNKNOWN": "magenta",
    "FAILED": "bold red",
    "FAILED (by nature)": "blue",
}

NOTHING = (
    "iolab: -k: chooses nothing of the catalogue; it must be part of a playing's name, as "
    "`iolab list` shows them, with `and`, `or` and `not`"
)

# Where nobody looks at a terminal, lines may be as long as logs allow.
WIDTH = 160


class Summary:
    """A plugin of the run's main process: collects every playing, prints the table, writes JSON.

    The JSON goes to `path`, if there is one, and tells of `run`; `observations` says where they
    are, once something was played.
    """

    def __init__(
        self,
        path: Path | None = None,
        run: Run | None = None,
        observations: Callable[[], str | None] = lambda: None,
    ) -> None:
        self._path = path
        self._run = run
        self._observations = observations
        self.rows: list[Result] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call":
            row = Result.of_properties(report.user_properties)
            if row is not None:
                self.rows.append(row)
                if report.failed and row.observations:  # and no harness that broke off
                    report.longrepr = Told(report.longrepr)

    @pytest.hookimpl(tryfirst=True)  # before the terminal tells how it ended
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        if exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
            session.exitstatus = STATUS_OF_BAD_INPUT

    def pytest_terminal_summary(self, terminalreporter: Any, exitstatus: int) -> None:
        if exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
            terminalreporter.write_line(NOTHING)
        if not self.rows:
            return
        self.rows.sort(key=lambda row: (row.subject, row.ip, row.scenario))
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
        observations = self._observations()
        if observations:
            console.print(escape(observations), soft_wrap=True)
        if self._path is not None and self._run is not None:
            results.write(self._path, self._run, self.rows)


class Told(str):
    """A failure in words, whole for JUnit, of which a terminal shows the heart: the rest follows.

    pytest's reports are text where they are written, and `toterminal` where they are shown.
    """

    def toterminal(self, writer: Any) -> None:
        head, *found = [line for line in self.splitlines() if not line.startswith(" ")]
        writer.line("; ".join(found[:1]) or head)


def table(rows: Sequence[Result], width: int = WIDTH) -> Table:
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


def _cells(row: Result) -> tuple[str, ...]:
    return (
        row.scenario,
        row.subject + (" IPv6" if row.ip == 6 else ""),
        *map(row.said, SIDES),
        "" if row.seconds is None else f"{row.seconds:.1f} s",
        _remark(row),
    )


def _remark(row: Result) -> str:
    if row.reason is not None:
        return row.reason
    remarks = [f"{one.name} {one.value:g} {one.unit}" for one in row.figures]
    if len(row.attempts) > 1:
        remarks.append(f"attempts: {', '.join(row.attempts)}")
    if not row.passed or BY_NATURE in map(row.said, SIDES):
        remarks += [finding.summary for finding in row.findings[:1]]
    return "; ".join(remarks)


def summary_lines(rows: Sequence[Result]) -> list[str]:
    """Likely causes first, then the evidence of each failure, then the counts."""
    lines = []
    failed = [row for row in rows if not row.passed]
    causes = Counter(cause for row in failed for cause in _causes(row))
    if causes:
        lines.append("\n[bold]Likely causes[/]")
        for cause, count in causes.most_common():
            where = [row.scenario for row in failed if cause in _causes(row)]
            also = f" and {len(where) - 3} more" if len(where) > 3 else ""
            lines.append(f"  {escape(cause)}: in {count} ({escape(', '.join(where[:3]))}{also})")
    for row, alike in _told_once(failed):
        lines.append(f"\n[bold]{escape(row.scenario)}[/] against {escape(row.subject)}")
        if alike:
            lines[-1] += f", and {alike} more"
        for finding in row.findings:
            style = STYLES[finding.level]
            lines.append(
                f"  {finding.side}: [{style}]{finding.level}[/] "
                f"({escape(finding.cause)}): {escape(finding.summary)}"
            )
            lines += [f"      {escape(line)}" for line in finding.evidence]
        lines += [f"  observations: {escape(path)}" for path in row.observations[-1:]]
    levels = Counter(said for row in rows for said in map(row.said, SIDES))
    again = [row for row in rows if len(row.attempts) > 1]
    counts = ", ".join(f"{count} {level}" for level, count in sorted(levels.items()))
    lines.append(f"\n{len(rows)} playings, {len(rows) * len(SIDES)} verdicts: {counts}")
    if again:
        lines.append(f"played more than once: {', '.join(escape(one.scenario) for one in again)}")
        for row in again:
            for level, doubts in zip(row.attempts, row.doubts, strict=True):
                why = f": {'; '.join(doubts)}" if doubts else ""
                lines.append(f"  {escape(row.scenario)}: {level}{escape(why)}")
    return lines


def _told_once(failed: Sequence[Result]) -> Iterator[tuple[Result, int]]:
    """Each failure, and how many others say the same of the subject as a whole."""
    kinds = [(row.subject, row.ip, *sorted(_causes(row) & OF_THE_SUBJECT)) for row in failed]
    told = set()
    for row, kind in zip(failed, kinds, strict=True):
        if len(kind) == 2:
            yield row, 0
        elif kind not in told:
            told.add(kind)
            yield row, kinds.count(kind) - 1


def _causes(row: Result) -> set[str]:
    return {finding.cause for finding in row.findings if finding.level is Level.FAILED}
