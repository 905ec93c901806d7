"""`docs/performance.md`, written by a whole run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.plan import GROUPS
from bench.report.chart import svg
from bench.report.figures import BAR_COLUMNS, COLUMNS, Row, bar_rows, group_rows
from bench.rounds import AGAIN, DISTURBED
from bench.run import Run

PAGE, CHART = "performance.md", "performance.svg"
CHARTED = "lines-100"

_HEAD = """\
<!-- Made by `make bench`; do not edit. -->
# Performance

Our models beside other servers. All answer every line by itself, with one and the same framing: a
piece of a line waits, whole lines are answered in bulk. (Only asyncio's streams and `socketserver`
take and answer line by line, as they are meant to be used.) Ours are the full server, with limits,
timers and log; the others do nothing else.

![Messages a second, of every contestant with 100 clients](performance.svg)

"""

_BARS = """\
## Bars
What the models are held to. A ratio is made in every round, of two measurements next to each other,
and the median over the rounds has to reach the bar. *by CPU* says what the ratio of two rates is by
the CPU that the servers took for a message: where the load client is as busy as the server, or
others were, it is the truer figure. What hangs on the clock is *disturbed*, and proves
nothing, if others took more than {disturbed:g} of a core in most of its rounds.

"""

_GROUPS = """\
## Measurements
Medians over the rounds. *CPU µs*: what a message costs the server. *server*, *client*: how busy
they kept their cores; a server below 100 % was waiting for the client. *memory*: bytes of the
server's that one connection added. *others*: how much of a core everything else here took.

"""

_HOW = """\
## How it is measured
* Each measurement has a server of its own, freshly started and warmed by one connection that asks,
  is answered, and closes. Then all clients connect, ask for {warm_s:g} s, and for {for_s:g} s that
  count.
* A client sends a line of 64 bytes (or 16 of them in one packet), waits for the whole answer,
  compares it byte for byte, and asks again. The load client is {client}.
* {rounds} rounds; the groups are shuffled in each, and the contestants within each group.
* {setting}
* A measurement during which others took more than {disturbed:g} of a core is made again, once,
  and the less disturbed counts; {again:.0%} of all at most.
* CPU is read from the process's CPU clock, in the moments in which the counting begins and ends;
  memory is `Rss` of `/proc/PID/smaps_rollup`, so what the kernel keeps for a socket is not in it.
* The 50 000 are held by three agents, each in a node of its own on a bridge, and served by three
  servers; each connection has been answered once when it counts as connected, and all of them once
  more while all are held.

`make bench` measures anew and writes this page; `make bench ARGS="--quick"` is a try, `ARGS="--only
lines-100 epoll c-epoll"` measures that alone, and `--json FILE` keeps all figures
([docs/bench.md](bench.md)).
"""


def write(folder: Path, run: Run) -> None:
    """Write the page and its chart into a folder."""
    (folder / PAGE).write_text(text(run), encoding="utf-8")
    (folder / CHART).write_text(svg(GROUPS[CHARTED], run.results), encoding="utf-8")


def text(run: Run) -> str:
    """The whole page."""
    parts = [
        _HEAD,
        f"{_where(run)}\n\n",
        f"**{run.disturbance}**\n\n" if run.disturbance else "",
        _BARS.format(disturbed=DISTURBED),
        _table(("", *BAR_COLUMNS), bar_rows(run.results)),
        _GROUPS,
    ]
    for group in run.groups:
        rows = group_rows(group, run.results)
        parts += [f"**{group.title}**\n\n", _table(("", *COLUMNS), rows)]
    parts.append(
        _HOW.format(
            warm_s=run.pace.warm_s,
            for_s=run.pace.for_s,
            rounds=run.pace.rounds,
            client="written in C" if run.no_c is None else f"our agent, as {run.no_c}",
            setting=" ".join(f"{remark}." for remark in run.machine.setting),
            disturbed=DISTURBED,
            again=AGAIN,
        )
    )
    return "".join(parts)


def _where(run: Run) -> str:
    packages = ", ".join(f"{name} {version}" for name, version in run.versions.items())
    here = run.machine
    return (
        f"Measured on {run.date}: {here.cpu}, {here.cores} cores, {here.kernel}, {here.python}; "
        f"{packages or 'no other packages'}; order by `--seed {run.seed}`."
    )


def _table(columns: Sequence[str], rows: Sequence[Row]) -> str:
    lines = [f"| {' | '.join(columns)} |", f"| --- |{' ---: |' * (len(columns) - 1)}"]
    absent = []
    for row in rows:
        if row.absent is None:
            cells = [cell.replace("short", "**short**") for cell in row.cells]
            lines.append(f"| {' | '.join([row.title, *cells])} |")
        else:
            absent.append(f"Absent: {row.title} ({row.absent}).\n")
    return "\n".join(lines) + "\n\n" + "".join(absent) + ("\n" if absent else "")
