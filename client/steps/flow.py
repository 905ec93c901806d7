"""Runs the steps of a script, and those steps that open, close, wait and repeat.

What a step does is a course: a generator that yields while it waits. A course looks at the records
of its connection and its clock, and raises Failed. Nothing is told to it: see client.player.
"""

import time
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

from .. import script
from ..failure import Failed, Failure
from ..script import Step
from . import receiving, sending

if TYPE_CHECKING:
    from ..player import Player

Course = Generator[None, None, None]


def run(player: "Player", steps: tuple[Step, ...]) -> Course:
    """Play the steps one after another."""
    for step in steps:
        course = _enter(player, step)
        if course is not None:
            yield from course


def _enter(player: "Player", step: Step) -> Course | None:
    """Begin a step; the course of what is still to be waited for."""
    player.step = step
    if step.mark is not None:
        player.stage.marked(player, step.mark)
    return _COURSES[type(step)](player, step)


def _connect(player: "Player", step: script.Connect) -> Course:
    connection = player.connect(step)
    deadline = time.monotonic() + step.within_s
    player.alarm.set(deadline)
    while connection.broken is None and connection.connecting:
        if time.monotonic() >= deadline:
            raise Failed(Failure("late", f"no connection within {step.within_s:g} s"))
        yield
    if connection.broken is not None:
        raise Failed(connection.broken)
    player.stage.connected(player)


def _half_close(player: "Player", step: script.HalfClose) -> None:
    connection = player.opened()
    connection.check()
    connection.half_close()
    connection.check()


def _close(player: "Player", step: script.Close) -> None:
    connection = player.opened()
    if connection.replies.said:
        raise Failed(connection.replies.surplus())
    player.leave()


def _reset(player: "Player", step: script.Reset) -> None:
    player.opened()
    player.leave(reset=True)


def _idle(player: "Player", step: script.Idle) -> Course:
    until = time.monotonic() + step.for_s
    player.alarm.set(until)
    while time.monotonic() < until:
        player.check_replies()
        yield


def _wait(player: "Player", step: script.Wait) -> Course:
    stage = player.stage
    if stage.is_released(step.go):
        return
    stage.hold(player, step.go)
    yield from _rest(player, lambda: not stage.holds(player, step.go))


def _hang(player: "Player", step: script.Hang) -> Course:
    connection = player.opened()
    player.stage.settled(player, True)
    while step.past_end or (connection.eof_at is None and connection.broken is None):
        player.check_replies()
        yield
    player.stage.settled(player, False)


def _repeat(player: "Player", step: script.Repeat) -> Course:
    stage = player.stage
    rounds = 0
    due = time.monotonic()
    while step.times == 0 or rounds < step.times:
        if stage.resting:
            player.step = step
            yield from _rest(player, lambda: not stage.resting or stage.finishing)
        if stage.finishing:
            return
        turns = player.turns
        for inner in step.steps:  # as in `run`, without a generator more in each round
            course = _enter(player, inner)
            if course is not None:
                yield from course
        rounds += 1
        if step.every_s and rounds != step.times:
            due = max(due + step.every_s, time.monotonic())
            player.step = step
            player.alarm.set(due)
            while time.monotonic() < due and not (stage.resting or stage.finishing):
                player.check_replies()
                yield
        elif player.turns == turns:  # a round that never waits must not hold up the others
            player.setting.loop.soon(player.resume)
            yield


def _rest(player: "Player", is_over: Callable[[], bool]) -> Course:
    """Say nothing until told to go on."""
    since = time.monotonic()
    player.pauses.append((since, None))
    player.stage.settled(player, True)
    while not is_over():
        player.check_replies()
        yield
    player.stage.settled(player, False)
    player.pauses[-1] = (since, time.monotonic())


_COURSES: dict[type[Step], Callable[["Player", Any], Course | None]] = {
    script.Connect: _connect,
    script.Send: sending.send,
    script.Ask: sending.ask,
    script.Flood: sending.flood,
    script.Expect: receiving.expect,
    script.Read: receiving.read,
    script.HalfClose: _half_close,
    script.Close: _close,
    script.Reset: _reset,
    script.Idle: _idle,
    script.Wait: _wait,
    script.Repeat: _repeat,
    script.Hang: _hang,
}
