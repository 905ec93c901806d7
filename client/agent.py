"""The agent: plays scripts on thousands of connections, told by NDJSON on standard input.

docs/protocol.md is the contract. Every operation is a dataclass whose fields are the request's,
and a method of Agent that works on it.
"""

import json
import os
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

from . import kernel
from .channel import LONGEST, Channel
from .fields import Bind, Flag, Invalid, Kind, Name, Positive, Seconds, Target, Text, read
from .group import Group, Outcome, latencies_kept
from .loop import Loop
from .player import Setting
from .script import read_script

Fields = dict[str, object]
Answer = Callable[..., None]


@dataclass(frozen=True, slots=True)
class _Play:
    group: Name
    script: Annotated[object, Kind("a script", lambda value: value)]
    target: Target
    count: Positive = 1
    bind: Bind | None = None
    log: Flag = True


@dataclass(frozen=True, slots=True)
class _Go:
    signal: Name
    group: Name | None = None
    count: Positive | None = None


@dataclass(frozen=True, slots=True)
class _Await:
    group: Name
    mark: Name
    within_s: Seconds
    count: Positive | None = None


@dataclass(frozen=True, slots=True)
class _Group:
    group: Name


@dataclass(frozen=True, slots=True)
class _Timed:
    group: Name
    within_s: Seconds


@dataclass(frozen=True, slots=True)
class _Report:
    group: Name | None = None


@dataclass(frozen=True, slots=True)
class _Info:
    connection: Text


class Agent:
    """Answers requests that come in on one descriptor, on another."""

    def __init__(self, loop: Loop, source: int, sink: int) -> None:
        self._loop = loop
        self._groups: dict[str, Group] = {}
        self._ops: dict[str, tuple[type, Callable[[Any, Answer], None]]] = {
            "play": (_Play, self._play),
            "go": (_Go, self._go),
            "await": (_Await, self._await),
            "pause": (_Timed, self._pause),
            "resume": (_Group, self._resume),
            "finish": (_Timed, self._finish),
            "report": (_Report, self._report),
            "info": (_Info, self._info),
            "drop": (_Group, self._drop),
        }
        loop.on_late = lambda late: self._event("late", {"late_s": round(late, 6)})
        self._channel = Channel(loop, source, sink, self._on_line, loop.stop)

    def run(self) -> None:
        """Work until the end of input. All connections end with the process."""
        nofile = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        self._event("ready", {"pid": os.getpid(), "nofile": nofile})
        self._loop.run()
        self._channel.close()

    def _event(self, name: str, fields: Fields) -> None:
        self._channel.write({"event": name, "t": _now(), **fields})

    def _answer(self, number: int | None, ok: bool = True, **fields: object) -> None:
        late_s = round(self._loop.late_s, 6)
        self._loop.late_s = 0.0
        self._channel.write({"id": number, "t": _now(), "ok": ok, "late_s": late_s, **fields})

    def _on_line(self, line: bytes) -> None:
        number = None
        try:
            number, op, fields = _request(line)
            if op not in self._ops:
                raise Invalid(f"`op` cannot be {op!r:.60}; allowed: {', '.join(self._ops)}")
            kind, work = self._ops[op]
            work(read(kind, fields, op), partial(self._answer, number))
        except Invalid as error:
            self._answer(_id_of(line) if number is None else number, ok=False, error=str(error))

    def _play(self, op: _Play, answer: Answer) -> None:
        script = read_script(op.script, "play: `script`")
        old = self._groups.get(op.group)
        if old is not None:
            if old.running:
                raise Invalid(f"play: `group` {op.group!r} is still playing; `drop` it, or wait")
            old.disband()
        setting = Setting(
            self._loop, script, op.target, op.bind, latencies=latencies_kept(op.count)
        )
        group = Group(op.group, setting, op.count, self._event if op.log else None)
        self._groups[op.group] = group
        group.start(lambda: answer(count=op.count))

    def _go(self, op: _Go, answer: Answer) -> None:
        groups = self._groups.values() if op.group is None else [self._group(op.group, "go")]
        answer(released=sum(group.go(op.signal, op.count) for group in groups))

    def _await(self, op: _Await, answer: Answer) -> None:
        group = self._group(op.group, "await")
        if op.count is not None and op.count > group.count:
            raise Invalid(f"await: `count` must be at most {group.count}, which the group holds")
        words = f"{op.group}: {op.mark}"
        group.watch(op.mark, op.count, op.within_s, words, partial(_tell, answer))

    def _pause(self, op: _Timed, answer: Answer) -> None:
        group = self._group(op.group, "pause")
        group.rest()
        group.watch("at rest", None, op.within_s, f"{op.group}: at rest", partial(_tell, answer))

    def _resume(self, op: _Group, answer: Answer) -> None:
        self._group(op.group, "resume").wake()
        answer()

    def _finish(self, op: _Timed, answer: Answer) -> None:
        group = self._group(op.group, "finish")
        group.finish()
        group.watch("ended", None, op.within_s, f"{op.group}: ended", partial(_tell, answer))

    def _report(self, op: _Report, answer: Answer) -> None:
        groups = self._groups.values() if op.group is None else [self._group(op.group, "report")]
        answer(connections=[report for group in groups for report in group.report()])

    def _info(self, op: _Info, answer: Answer) -> None:
        name, _, place = op.connection.rpartition("#")
        group = self._group(name, "info", "connection")
        if not place.isdecimal() or int(place) >= len(group.players):
            raise Invalid(
                f"info: `connection` must be {name}#0 to {name}#{len(group.players) - 1},"
                f" not {op.connection!r}"
            )
        player = group.players[int(place)]
        if player.connection is None or player.connection.sock is None:
            raise Invalid(f"info: `connection` {op.connection} has no socket now")
        answer(**kernel.socket_info(player.connection.sock))

    def _drop(self, op: _Group, answer: Answer) -> None:
        answer(dropped=self._group(op.group, "drop").drop())

    def _group(self, name: str, op: str, field: str = "group") -> Group:
        if name not in self._groups:
            known = ", ".join(self._groups) or "none"
            raise Invalid(f"{op}: `{field}` {name!r} is not known; there are: {known}")
        return self._groups[name]


def main() -> int:
    """Run the agent on standard input and output; the exit status."""
    loop = Loop()
    try:
        Agent(loop, 0, 1).run()
    except KeyboardInterrupt:
        pass
    finally:
        loop.close()
    return 0


def _now() -> float:
    return round(time.monotonic(), 6)


def _tell(answer: Answer, outcome: Outcome) -> None:
    if outcome.error is None:
        answer(reached=outcome.reached)
    else:
        late: Fields = {"timeout": True} if outcome.timed_out else {}
        answer(ok=False, error=outcome.error, reached=outcome.reached, **late)


def _request(line: bytes) -> tuple[int, str, Fields]:
    if len(line) > LONGEST:
        raise Invalid(f"the line is longer than {LONGEST} bytes")
    try:
        message = json.loads(line)
    except ValueError as error:
        raise Invalid(f"the line is no JSON: {error}") from None
    if not isinstance(message, dict):
        raise Invalid("the line must be an object with `id`, `op` and the op's fields")
    number, op = message.pop("id", None), message.pop("op", None)
    if not isinstance(number, int) or isinstance(number, bool):
        raise Invalid("`id` must be an integer")
    if not isinstance(op, str):
        raise Invalid("`op` must be a text")
    return number, op, message


def _id_of(line: bytes) -> int | None:
    """The id of a request that cannot be used, if it has one."""
    try:
        number = json.loads(line)["id"]
    except (ValueError, TypeError, KeyError):
        return None
    return number if isinstance(number, int) else None
