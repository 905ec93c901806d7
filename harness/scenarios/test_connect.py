"""Connecting: from the handshake to the first byte."""

from __future__ import annotations

from harness.lab import Lab
from harness.scenario import scenario
from harness.steps import ask, close, connect


@scenario(
    "connect.one",
    title="One client, one message",
    expects="The reply, byte for byte.",
    why="What fails here fails everywhere: it is the first scenario to look at.",
    cites=("RFC 9293 §3.5 (establishing a connection)",),
    rounds=3,
)
def test_one(lab: Lab) -> None:
    one = lab.play("one", connect(), ask("hello, world"), close())
    one.reached("connected")
    lab.trigger(one)
    one.ended()
    lab.expect_removed(one)
