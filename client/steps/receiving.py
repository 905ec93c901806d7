"""The steps that receive: `expect` and `read`. See client.steps.flow."""

import time
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING

from .. import script
from ..connection import Connection
from ..failure import Failed, Failure, escaped

if TYPE_CHECKING:
    from ..player import Player

Course = Generator[None, None, None]

_TICK_S = 0.05  # how often a step that reads at a rate does so


def expect(player: "Player", step: script.Expect) -> Course:
    connection = player.opened()
    replies = connection.replies
    asks_for_said = step.literal is not None or step.bytes is not None or step.anything
    if replies.said and not asks_for_said:
        raise Failed(replies.surplus())
    listening = connection.reading
    before = connection.received
    replies.welcome = step.anything
    if step.rate is None:
        connection.listen()
    else:
        connection.reading = False
    if step.nothing_s is not None:
        yield from _hear_nothing(player, connection, step.nothing_s, before)
    else:
        yield from _hear(player, connection, step)
    connection.reading = listening
    replies.welcome = False
    _claim(player, connection, step)
    if replies.said and not asks_for_said:
        raise Failed(replies.surplus())


def _hear(player: "Player", connection: Connection, step: script.Expect) -> Course:
    goal = _goal(player, connection, step)
    now = time.monotonic()
    deadline = now + step.within_s
    budget = 0.0
    while True:
        if connection.wrong is not None:
            raise Failed(connection.wrong)
        if step.reset and connection.reset_at is not None:
            return
        ended = step.eof and connection.eof_at is not None
        if goal() and (ended or not (step.eof or step.reset)):
            return
        if connection.broken is not None:
            raise Failed(connection.broken)
        if connection.eof_at is not None:
            raise connection.ended_early()
        before, now = now, time.monotonic()
        if now >= deadline:
            if goal() and step.eof:
                raise connection.unended(step.within_s)
            raise connection.late(step.within_s)
        if step.rate is None:
            player.alarm.set(deadline)
            yield
            continue
        budget = min(budget + (now - before) * step.rate, max(1.0, 2 * step.rate * _TICK_S))
        if budget >= 1:
            had = connection.received
            connection.read(int(budget))
            budget -= connection.received - had
            if goal() or connection.eof_at is not None:
                continue
        player.alarm.set(min(deadline, now + max(_TICK_S, 1 / step.rate)))
        yield


def _goal(player: "Player", connection: Connection, step: script.Expect) -> Callable[[], bool]:
    replies = connection.replies
    if step.replies is not None:
        replies_goal = player.claimed_replies + step.replies
        return lambda: replies.complete >= replies_goal
    if step.bytes is not None:
        bytes_goal = player.claimed + step.bytes
        return lambda: connection.received >= bytes_goal
    literal = step.literal
    if literal is not None:
        return lambda: _hears_literal(connection, literal)
    if step.reset and not step.eof:
        return lambda: True
    return lambda: replies.matched >= replies.owed


def _hears_literal(connection: Connection, literal: bytes) -> bool:
    said = connection.replies.said
    if not literal.startswith(said[: len(literal)]):
        expected, got = escaped(literal[:64]), escaped(bytes(said[:64]))
        at = connection.received - len(said)
        detail = f"the words differ after byte {at}: expected {expected!r}, got {got!r}"
        raise Failed(Failure("mismatch", detail, at=at, expected=expected, got=got))
    return len(said) >= len(literal)


def _claim(player: "Player", connection: Connection, step: script.Expect) -> None:
    """What this step has waited for, no later one gets again."""
    said = connection.replies.said
    if step.bytes is not None:
        player.claimed += step.bytes
        del said[: max(0, player.claimed - (connection.received - len(said)))]
        return
    if step.literal is not None:
        del said[: len(step.literal)]
    elif step.anything:
        player.said = escaped(bytes(said[:64]))
        said.clear()
    player.claimed = connection.received - len(said)
    if step.replies is not None:
        player.claimed_replies += step.replies
    else:
        player.claimed_replies = connection.replies.complete


def _hear_nothing(player: "Player", connection: Connection, for_s: float, before: int) -> Course:
    until = time.monotonic() + for_s
    player.alarm.set(until)
    while True:
        connection.check()
        if connection.received > before:
            count = connection.received - before
            raise Failed(Failure("surplus", f"{count} bytes came where nothing was to come"))
        if connection.eof_at is not None:
            raise Failed(Failure("eof", "the peer ended the connection where nothing was to come"))
        if time.monotonic() >= until:
            return
        yield


def read(player: "Player", step: script.Read) -> None:
    connection = player.opened()
    if step.on:
        connection.listen()
    else:
        connection.reading = False
