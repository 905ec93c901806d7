"""`iolab judge RUN`: the verdicts of a saved run, from its observations."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from iolab.harness.command_line import Parser
from iolab.harness.errors import UsageError
from iolab.harness.judge import Judgement, Level, judge
from iolab.harness.record.base import RecordError
from iolab.harness.record.lines import load
from iolab.harness.report.terminal import STYLES


def main(arguments: Sequence[str]) -> int:
    """Print the verdicts; 1 when one of them is FAILED or UNKNOWN."""
    parser = Parser(prog="iolab judge", description=__doc__)
    parser.add_argument(
        "run", metavar="RUN", type=Path, help="a folder of runs/, or one .ndjson file of it"
    )
    path = parser.parse_args(arguments).run
    files = sorted(path.glob("*.ndjson")) if path.is_dir() else [path]
    if not files or not all(file.is_file() for file in files):
        raise UsageError(f"RUN: must be a folder with .ndjson files, or one of them, not {path}")
    console = Console(highlight=False, soft_wrap=True, emoji=False)
    bad = False
    for file in files:
        judgement = _judged(file)
        _show(console, file, judgement)
        bad = bad or judgement.level in (Level.FAILED, Level.UNKNOWN)
    return int(bad)


def _judged(file: Path) -> Judgement:
    try:
        return judge(load(file))
    except RecordError as error:
        raise UsageError(str(error)) from error


def _show(console: Console, file: Path, judgement: Judgement) -> None:
    reply, cleanup = judgement.reply.level, judgement.cleanup.level
    console.print(
        f"{escape(judgement.label):44} reply [{STYLES[reply]}]{reply}[/]  "
        f"cleanup [{STYLES[cleanup]}]{cleanup}[/]  [dim]{escape(file.name)}[/]"
    )
    for finding in judgement.findings:
        console.print(f"    {finding.side}: {finding.level}: {escape(finding.summary)}")
        for line in finding.evidence:
            console.print(f"        {escape(line)}")
