"""The lab without a terminal: one line for each event that is worth one, and no flood of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from iolab.harness.live.log import Line
from iolab.harness.live.process import doing
from iolab.harness.live.state import State
from iolab.harness.live.words import ANSWER, JOIN, count

STATUS_EVERY_S = 5.0
TOLD_OF_EACH = 2
"""A client that comes and goes all the time is told of so often; the status counts the rest."""

# These are told of however often they happen: they are rare, or the answer to what was typed.
_ALWAYS = {"listening", "operator-mistake", "operator-left", "answered", "clients", "message", ""}


class Plain:
    """Turns what happens in the lab into lines."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._told: Counter[tuple[str, str | None, str]] = Counter()
        self._failed: Counter[str] = Counter()
        self._lines = 0
        self._status_at = state.began + STATUS_EVERY_S

    def opening(self) -> Iterator[str]:
        """What runs, and what the user can do meanwhile."""
        state = self._state
        yield (
            f"lab: model {state.model} ({state.title}), "
            f"{count(len(state.clients), 'client')}, on {state.backend}"
        )
        yield f"`{JOIN}` in another terminal takes part; Ctrl-C ends it"
        if state.reply == "operator":
            yield "you answer: NUMBER TEXT, list, close NUMBER"
        else:
            yield f"with `{ANSWER}` you answer the clients yourself"

    def news(self) -> Iterator[str]:
        """The lines about what has happened since the last call."""
        state = self._state
        new = state.log.total - self._lines
        self._lines = state.log.total
        for line in list(state.log.lines)[-new:] if new else ():
            if self._is_worth(line):
                yield self._stamped(line.t, self._words(line))
        for client in state.clients.values():
            failed = client.failures.total()
            if failed and not self._failed[client.name]:
                yield self._stamped(state.now, f"{client.name} failed: {client.last_failure}")
            self._failed[client.name] = failed
        if state.now >= self._status_at:
            self._status_at += STATUS_EVERY_S
            yield self._stamped(state.now, status(state))

    def _is_worth(self, line: Line) -> bool:
        if line.event in _ALWAYS:
            return True
        kind = line.event, line.client, line.text.split(" after ")[0]
        self._told[kind] += 1
        return self._told[kind] <= TOLD_OF_EACH

    def _words(self, line: Line) -> str:
        number = f" #{line.number}" if line.number is not None else ""
        who = (line.client or "") + number if line.client or number else ""
        return "  ".join(word for word in (line.event, who.strip(), line.text) if word)

    def _stamped(self, t: float, words: str) -> str:
        return f"{max(0.0, t - self._state.began):6.1f} s  {words}"


def status(state: State) -> str:
    """The lab in one line: connections, what the server waits in, what that costs."""
    held = [row for row in state.connections if row.fd is not None]
    busy = sum(1 for row in held if row.recv_q or row.send_q)
    recent = state.recent()
    cpu = sum(one.cpu for one in recent) / max(1, len(recent))
    wakeups = sum(one.wakeups for one in recent) / max(1, len(recent))
    replies = sum(client.replies for client in state.clients.values())
    server = doing(state.main).plain if state.main else "has no process"
    waiting = sum(row.waits_for_accept for row in state.connections)
    parts = [
        f"{count(len(held), 'connection')}, {busy} with bytes in a queue",
        f"{waiting} not accepted" if waiting else "",
        f"server {server}, CPU {cpu:.1%}, {wakeups:.0f} wake-ups/s",
        f"{count(replies, 'right reply', 'right replies')}",
    ]
    return "; ".join(part for part in parts if part)
