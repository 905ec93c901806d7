"""The steps that send: `send`, `ask` and `flood`. See client.steps.flow."""

import socket
import time
from collections.abc import Generator
from typing import TYPE_CHECKING

from .. import kernel, script
from ..connection import Connection
from ..failure import Failed, Failure
from ..loop import NEVER
from ..payload import Source

if TYPE_CHECKING:
    from ..player import Player

Course = Generator[None, None, None]

_TICK_S = 0.05  # how often a step that sends at a rate does so


def send(player: "Player", step: script.Send) -> Course:
    connection = player.sendable()
    source = player.draw(step, step.times)
    if step.urgent or not step.unanswered:
        _owe(player, connection, source, step.urgent, step.unanswered)
    if step.background:
        connection.send(source)
        return
    yield from _transmit(player, connection, step, source, NEVER)


def ask(player: "Player", step: script.Ask) -> Course:
    connection = player.sendable()
    replies = connection.replies
    listening = connection.reading
    if not listening:
        connection.listen()
    for _ in range(step.times):
        source = step.source or player.draw(step, 1)
        _owe(player, connection, source, step.urgent)
        player.asked_at = asked_at = time.monotonic()
        if step.bare:
            connection.send(source)
        if connection.unsent or not step.bare:
            yield from _transmit(player, connection, step, source, step.within_s, step.bare)
            player.asked_at = asked_at = time.monotonic()
        if connection.broken is not None:
            connection.check()
        deadline = asked_at + step.within_s
        telling = deadline
        if step.tell_after_s is not None:
            telling = min(deadline, asked_at + step.tell_after_s)
        player.alarm.set(telling)
        while replies.matched < replies.owed:
            yield
            if replies.matched < replies.owed:
                player.sendable()
                now = time.monotonic()
                if now >= deadline:
                    raise connection.late(step.within_s)
                if now >= telling:
                    player.stage.waiting(player)
                    telling = deadline
                    player.alarm.set(deadline)
        player.latencies.add(asked_at, time.monotonic() - asked_at)
        player.asked_at = None
    connection.reading = listening
    player.claimed = connection.received
    player.claimed_replies = replies.complete


def flood(player: "Player", step: script.Flood) -> Course:
    connection = player.sendable()
    connection.reading = False
    stride = step.size + 1
    source = player.voice.say(step.size, -(-step.total // stride), newline=True)
    _owe(player, connection, source)
    connection.moved_at = time.monotonic()
    connection.send(source)
    queued = -1
    while connection.unsent:
        connection.check()
        now = time.monotonic()
        # What the peer's kernel still takes has moved as well, though no write was possible yet.
        assert connection.sock is not None
        if queued != (queued := kernel.unacknowledged(connection.sock)):
            connection.moved_at = now
        if now - connection.moved_at >= step.stalled_after_s:
            connection.replies.forgive(connection.withdraw(stride))
            player.flooded = "stalled"
            return
        player.alarm.set(now + max(0.001, step.stalled_after_s / 4))
        yield
    connection.check()
    player.flooded = "sent"


def _transmit(
    player: "Player",
    connection: Connection,
    step: script.Message,
    source: Source,
    within_s: float,
    begun: bool = False,
) -> Course:
    """Hand `source` to the kernel at the step's pace; `begun`: it is on its way already.

    Raises Failed of kind "late" if nothing moves for `within_s`.
    """
    at = source.length if begun else 0
    if step.urgent:
        connection.send(source, 0, 1, socket.MSG_OOB)
        at = 1
    piece = _piece(step, source)
    start = time.monotonic()
    while True:
        if at < source.length:
            end = min(at + piece, source.length)
            connection.send(source, at, end)
            at = end
        began = time.monotonic()
        while connection.unsent:
            connection.check()
            deadline = max(began, connection.moved_at) + within_s
            if time.monotonic() >= deadline:
                detail = f"the peer took no byte of the message within {within_s:g} s"
                raise Failed(Failure("late", detail))
            player.alarm.set(deadline)
            yield
        connection.check()
        if at == source.length:
            return
        until = start + at / step.rate if step.rate else time.monotonic() + step.pause_s
        player.alarm.set(until)
        while time.monotonic() < until:
            connection.check()
            yield


def _piece(step: script.Message, source: Source) -> int:
    """How many bytes one write takes."""
    if step.piece is not None:
        return step.piece
    if step.rate is not None:
        return max(1, int(step.rate * _TICK_S))
    if step.pause_s:
        return (step.size or 0) + len(step.content)
    return source.length


def _owe(
    player: "Player",
    connection: Connection,
    source: Source,
    urgent: bool = False,
    unanswered: bool = False,
) -> None:
    """The reply to `source` is owed from now on; perhaps only its first byte, if that is urgent."""
    replies = connection.replies
    if replies.said:
        raise Failed(replies.surplus())
    answer = source.reply(player.setting.reply)
    if urgent:
        replies.owe_perhaps(answer.slice(0, 1))
    if not unanswered:
        replies.owe(answer, 1 if urgent else 0)
