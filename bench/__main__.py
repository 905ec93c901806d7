"""`python -m bench`: measure, show the figures, and keep them. Exit status 2 for wrong usage."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from bench import machine, options
from bench.compile import compile_into
from bench.contestants import C_SERVER, CONTESTANTS
from bench.load.agent_client import AgentClient
from bench.load.c_client import CClient
from bench.plan import Entry, Group
from bench.report import page, record, terminal
from bench.rounds import Clients, Play
from bench.run import Run, versions
from iolab.harness.errors import UsageError
from iolab.harness.places import ROOT
from iolab.harness.report.terminal import WIDTH

DOCS = ROOT / "docs"


def main(arguments: Sequence[str]) -> int:
    """Run the benchmark; returns the exit status."""
    try:
        chosen = options.read(arguments)
    except UsageError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = WIDTH
    try:
        with tempfile.TemporaryDirectory(prefix="iolab-bench-") as programs:
            run = _measure(chosen, console, Path(programs))
    except KeyboardInterrupt:
        return 130
    terminal.show(console, run)
    if chosen.json is not None:
        record.write(chosen.json, run)
    if chosen.whole:
        page.write(DOCS, run)
        console.print(f"\nwritten: {page.PAGE} and {page.CHART} in docs/")
    return 0


def _measure(chosen: options.Options, console: Console, programs: Path) -> Run:
    here = machine.prepare()
    no_c = compile_into(programs)
    client = "in C" if no_c is None else f"our agent, as {no_c}"
    console.print(f"{here.cpu}, {here.kernel}, {here.python}. {'. '.join(here.setting)}.")
    console.print(f"Load client: {client}. Order: --seed {chosen.seed}\n")
    agent = AgentClient(here.client_core)
    usual = CClient(programs, here.client_core) if no_c is None else agent
    play = Play(here, programs, Clients(usual, agent), chosen.pace)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        entries = sum(len(group.entries) for group in chosen.groups)
        task = progress.add_task("", total=entries * chosen.pace.rounds)

        def told(group: Group, entry: Entry) -> None:
            progress.update(task, advance=1, description=f"{group.name} {entry.name}")

        results = play.run(chosen.groups, chosen.seed, _absent(chosen.groups, no_c), told)
    return Run(
        date=datetime.now(UTC).date().isoformat(),
        machine=here,
        versions=versions(),
        no_c=no_c,
        seed=chosen.seed,
        pace=chosen.pace,
        groups=chosen.groups,
        results=results,
    )


def _absent(groups: Sequence[Group], no_c: str | None) -> dict[tuple[str, str], str]:
    """Which entries cannot be measured here, and why."""
    absent = {}
    for group in groups:
        for entry in group.entries:
            reason = CONTESTANTS[entry.contestant].absent()
            if entry.contestant == C_SERVER or entry.name == "c-client":
                reason = no_c
            if reason is not None:
                absent[group.name, entry.name] = reason
    return absent


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
