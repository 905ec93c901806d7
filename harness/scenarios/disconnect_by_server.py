"""Disconnecting by the server itself, while the peer keeps its own side open."""

from __future__ import annotations

from iolab.harness.lab.bounds import AT_ONCE_S, LEEWAY_S
from iolab.harness.lab.lab import Lab
from iolab.harness.lab.steps import ask, connect, expect, hang, read, send, wait
from iolab.harness.scenarios import sources
from iolab.harness.scenarios.circumstances import LONG_REPLIES, LONGER, NARROW, VICTIMS, prove_owing
from iolab.harness.scenarios.scenario import scenario


@scenario(
    "disconnect.server-first",
    title="The server ends it, and the peer keeps its own side open for ever",
    expects="The descriptor is gone; the peer is told by an orderly end.",
    why="Waiting for the peer's FIN after one's own gives every silent peer a descriptor for ever.",
    cites=(sources.HALF_CLOSED, sources.FIN_TIMEOUT),
    quiet=True,
    promises=("idle_timeout_s",),
)
def server_first(lab: Lab) -> None:
    promise = lab.promised("idle_timeout_s").seconds
    stubborn = lab.play(
        "stubborn",
        connect(),
        ask("one word"),
        expect(eof=True, within_s=promise + 2 * LEEWAY_S, mark="ready"),
        hang(past_end=True),
        count=lab.several(VICTIMS),
        must="nothing",
    )
    stubborn.reached("ready")
    lab.trigger(stubborn)
    lab.expect_removed(stubborn, by=lab.promised("idle_timeout_s"))


@scenario(
    "disconnect.server-first-oversize",
    title="The server ends it for a message that is too long, with a reply and its input unread",
    expects="The owed reply arrives whole and is not lost to a reset; the descriptor is gone.",
    why="close with unread input is a reset, and a reset takes away what was not sent yet.",
    cites=(sources.UNREAD_RESET, sources.HTTP_CLOSE),
    quiet=True,
    rounds=3,
    promises=("max_message",),
)
def server_first_oversize(lab: Lab) -> None:
    largest = lab.promises.max_message or 0
    size = min(largest, LONG_REPLIES[0])
    times = max(1, LONGER // size)
    told = lab.play(
        "told-off",
        connect(**NARROW),
        read(False),
        send(size=size, times=times, background=True),
        wait("go", mark="ready"),
        # Who answers one message before it reads the next waits for its reply to be read first.
        send(size=largest + (64 << 10), unanswered=True, background=True),
        wait("read", mark="said"),
        expect(bytes=times * (size + 1), within_s=10),
        expect(anything=True, eof=True, reset=True, within_s=10),
        hang(past_end=True, mark="told"),
        count=lab.several(4),
        must="ended",
        owed=times,
    )
    told.reached("ready", within_s=10)
    prove_owing(told)
    lab.trigger(told)
    told.go()
    told.reached("said", within_s=5)
    told.shows(within_s=AT_ONCE_S / 2, read_at_least=times * (size + 1) + largest)
    told.go("read")
    told.reached("told", within_s=20)
    if lab.promises.idle_timeout_s is not None:
        lab.expect_removed(told, by=lab.promised("idle_timeout_s"))
    else:
        gone = lab.probe.sees(lab.gone(told), within_s=AT_ONCE_S)
        lab.policy("a peer that keeps its side open", "is let go" if gone else "is waited for")
        told.drop()
