"""What stays on the terminal when a lab has ended."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from iolab.harness.live.session import Ending
from iolab.harness.live.state import State
from iolab.harness.live.words import count, seconds, size

_QUIET = "bright_black"


def summary(state: State, ending: Ending) -> RenderableType:
    """The clients with their figures, then the server's."""
    ran = Text.assemble(
        (f"{state.model}", "bold"), f" on {state.backend}, {seconds(state.now - state.began)}"
    )
    return Group(Text(""), ran, _clients(state), *(Text(line) for line in _lines(state, ending)))


def _clients(state: State) -> Table:
    table = Table(box=None, header_style=_QUIET, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column("client")
    for name in ("messages", "replies", "median"):
        table.add_column(name, justify="right")
    table.add_column("failed")
    for client in state.clients.values():
        if client.visitor:
            continue
        failed = ", ".join(f"{kind} ×{number}" for kind, number in client.failures.most_common())
        table.add_row(
            client.name,
            str(client.messages),
            str(client.replies),
            "" if client.latency_s is None else seconds(client.latency_s),
            Text(failed, style="red"),
        )
    return table


def _lines(state: State, ending: Ending) -> Iterator[str]:
    log = state.log
    ends = ", ".join(f"{number} {reason}" for reason, number in log.closed.most_common())
    yield (
        f"server: {count(log.accepted, 'connection')} accepted, at most {state.peak} at once; "
        f"closed: {ends or 'none'}"
    )
    ran = max(state.now - state.began, 0.001)
    calls = ", ".join(
        f"{share:.0%} in {call}" + (f" ({of})" if of else "")
        for (call, of), share in list(state.shares().items())[:3]
    )
    yield (
        f"        {state.cpu_s:.2f} s of CPU ({state.cpu_s / ran:.1%}), {size(state.rss)}B"
        + (f"; at the end {calls}" if calls else "")
    )
    if ending.let_go_s is None:
        yield f"        when the clients had gone, it still held: {ending.held}"
    else:
        yield f"        when the clients had gone, it let go of all in {seconds(ending.let_go_s)}"
