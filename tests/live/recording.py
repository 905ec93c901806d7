"""Recorded runs (`recorded/*.ndjson`), played into the state of a live view.

Each line is what the state was told: `["arrive", client, address]`, `["client", client, record]`,
`["log", t, line]`, `["snapshot", snapshot]` or `["activity", activity]`. Columns that the view does
not show were left out, and so were most of the looks.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

from rich.console import Console

from iolab.client.script import load
from iolab.harness.live.state import State
from iolab.harness.live.view import view

FOLDER = Path(__file__).parent / "recorded"
CLIENTS = (
    *("steady", "chatty", "poet", "slow-sender", "slow-reader"),
    *("half-closer", "abrupt", "silent"),
)
ESSAY = (
    "Waiting for many at once.\n\nWhile it waits, the process sleeps in `select` on all of them."
)


def fresh(model: str = "select", reply: str = "echo") -> State:
    """The state of a lab that is just about to start."""
    state = State(
        model=model,
        title=f"waiting by {model}",
        essay=ESSAY,
        backend="processes",
        reply=reply,
        began=0.0,
        until=None,
    )
    for name in CLIENTS:
        state.add_client(name, load(name).what)
    return state


def replay(name: str, reply: str = "echo") -> State:
    """The state at the end of the recorded run."""
    state = fresh(name, reply)
    for line in (FOLDER / f"{name}.ndjson").read_text(encoding="utf-8").splitlines():
        _tell(state, *json.loads(line))
    state.began = state.now - 7.0
    return state


def _tell(state: State, kind: str, *what: Any) -> None:
    match kind:
        case "arrive":
            state.arrive(*what)
        case "client":
            state.clients[what[0]].take(what[1])
        case "log":
            state.log.take(*what)
        case "snapshot":
            state.now = what[0]["t"]
            state.take(*what)
        case "activity":
            state.now = what[0]["to"]
            state.take_activity(*what)


def screen(state: State, width: int, height: int) -> list[str]:
    """The view's lines, as a terminal of that size shows them."""
    console = Console(width=width, height=height, file=io.StringIO(), legacy_windows=False)
    lines = console.render_lines(
        view(state, width, height), console.options.update(width=width, height=height), pad=False
    )
    return ["".join(segment.text for segment in line).rstrip() for line in lines]
