"""The first and the last lines of the live view."""

from __future__ import annotations

from rich.text import Text

from iolab.harness.live.state import State
from iolab.harness.live.style import QUIET, signed
from iolab.harness.live.words import ANSWER, JOIN, clock

REACTION_S = 5.0


def header(state: State, width: int) -> Text:
    """The first line: what runs where, and how much time is left."""
    left = Text.assemble(
        (" iolab ", "bold reverse"), " ", (state.model, "bold"), "  ", (state.title, "italic")
    )
    ran = state.now - state.began
    right = Text(f"{state.backend}  ", style=QUIET)
    if state.until is None:
        right.append(clock(ran), "bold")
    else:
        whole = state.until - state.began
        done = round(10 * min(1.0, ran / whole))
        right.append("━" * done, "cyan").append("━" * (10 - done), QUIET)
        right.append(f" {clock(max(0.0, state.until - state.now))} left", "bold")
    left.truncate(max(0, width - right.cell_len - 1), overflow="ellipsis", pad=True)
    return Text.assemble(left, " ", right, no_wrap=True)


def footer(state: State, width: int) -> Text:
    """What the user can do; for a while, what became of what the operator has just typed."""
    reaction = state.log.reaction
    if reaction is not None and state.now - reaction.t < REACTION_S:
        text = Text(" ", no_wrap=True, overflow="ellipsis")
        if reaction.event == "answered":
            text.append("answered ", "green").append_text(
                signed(state, reaction.client, reaction.number)
            )
            return text.append(f": {reaction.text}")
        return text.append(reaction.text, "bold yellow")
    if state.reply == "operator":
        number = state.log.questions[0].number if state.log.questions else 3
        hints = [(f"{number} hello", f"answers {number}"), ("list", ""), (f"close {number}", "")]
        hints += [(JOIN, "takes part"), ("Ctrl-C", "ends")]
    else:
        hints = [
            ("Ctrl-C", "ends"),
            (JOIN, "takes part"),
            (ANSWER, "you answer"),
        ]
    text = Text(" ", no_wrap=True)
    for keys, what in hints:
        piece = Text.assemble((keys, "bold cyan"), (f" {what}" if what else "", QUIET))
        if text.cell_len + piece.cell_len + 2 > width:
            break
        text.append_text(piece).append("   ")
    return text


def entry(state: State, width: int) -> Text:
    """The line that the operator types, with its cursor; of a long one, the part around it."""
    typed = state.typed or ""
    room = max(1, width - len(" answer ▸ ") - 1)
    start = max(0, state.cursor - room)
    shown = typed[start : start + room] + " "
    at = state.cursor - start
    return Text.assemble(
        (" answer ", "bold reverse cyan"),
        (" ▸ ", "cyan"),
        *(shown[:at], (shown[at], "reverse"), shown[at + 1 :]),
        no_wrap=True,
    )
