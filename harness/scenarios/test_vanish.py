"""Vanishing: peers that are gone without a word, or stand still."""

from __future__ import annotations

from harness.faults.cable import Cable
from harness.faults.freeze_client import FreezeClient
from harness.lab import LEEWAY_S, Lab
from harness.scenario import scenario
from harness.steps import ask, connect, hang

VICTIMS = 4


@scenario(
    "vanish.cable",
    title="The client's node is unplugged",
    expects="Removed within the promised detection time, all its connections.",
    why="Nothing arrives, neither FIN nor RST: only keepalive, user timeout or a timer can tell.",
    cites=("RFC 1122 §4.2.3.6 (keep-alives)", "tcp(7): TCP_USER_TIMEOUT, TCP_KEEPIDLE", "RFC 5482"),
    quiet=True,
    promises=("detect_vanished_s",),
    needs=("cable",),
    connections=lambda case: VICTIMS,
)
def test_cable(lab: Lab) -> None:
    promise = lab.promises.detect_vanished_s or 0.0
    victims = lab.play(
        "unplugged",
        connect(),
        ask("still here"),
        hang(mark="ready"),
        count=VICTIMS,
        must="nothing",
        client="remote",
    )
    victims.reached("ready")
    lab.trigger(victims)
    lab.inject(Cable("remote"))
    lab.expect_removed(
        victims, within_s=promise + LEEWAY_S, promise=f"detection of vanished peers {promise:g} s"
    )


@scenario(
    "vanish.frozen",
    title="The client is stopped, and its kernel goes on acknowledging",
    expects="Removed within the idle timeout, if one is promised.",
    why="Keepalive and user timeout never fire for a peer whose kernel answers.",
    cites=("RFC 1122 §4.2.3.6 (keep-alives)", "signal(7): SIGSTOP"),
    quiet=True,
    promises=("idle_timeout_s",),
    connections=lambda case: VICTIMS,
)
def test_frozen(lab: Lab) -> None:
    promise = lab.promises.idle_timeout_s or 0.0
    victims = lab.play(
        "frozen",
        connect(),
        ask("still here"),
        hang(mark="ready"),
        count=VICTIMS,
        must="nothing",
        client="remote",
    )
    victims.reached("ready")
    peers = victims.peers()
    lab.trigger(victims)
    lab.inject(FreezeClient("remote"))
    lab.expect_gone(
        peers,
        lab.inodes_of_group(victims),
        within_s=promise + LEEWAY_S,
        promise=f"idle timeout {promise:g} s",
    )
