"""`python -m bench`: measure, and show the figures. Exit status 2 for wrong usage."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from bench import machine, options
from bench.compile import compile_into
from bench.contestants import C_SERVER, CONTESTANTS
from bench.load.agent_client import AgentClient
from bench.load.c_client import CClient
from bench.plan import Entry, Group
from bench.report import terminal
from bench.rounds import Clients, Play, Results
from harness.errors import UsageError
from harness.report.terminal import WIDTH


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
            results = _measure(chosen, console, Path(programs))
    except KeyboardInterrupt:
        return 130
    terminal.show(console, chosen.groups, results)
    return 0


def _measure(chosen: options.Options, console: Console, programs: Path) -> Results:
    here = machine.prepare()
    for remark in here.remarks:
        console.print(remark)
    no_c = compile_into(programs)
    agent = AgentClient(here.client_core)
    usual = CClient(programs, here.client_core) if no_c is None else agent
    if no_c is not None:
        console.print(f"the load is made by our agent: {no_c}")
    console.print(f"{here.cpu}, {here.kernel}, {here.python}; --seed {chosen.seed}")
    play = Play(here, programs, Clients(usual, agent), chosen.pace)
    count = sum(len(group.entries) for group in chosen.groups) * chosen.pace.rounds
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=count)

        def told(group: Group, entry: Entry) -> None:
            progress.update(task, advance=1, description=f"{group.name} {entry.name}")

        return play.run(chosen.groups, chosen.seed, _absent(chosen.groups, no_c), told)


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
