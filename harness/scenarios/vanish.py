"""Vanishing: peers that are gone without a word, or stand still."""

from __future__ import annotations

from iolab.harness.faults.cable import Cable
from iolab.harness.faults.freeze_client import FreezeClient
from iolab.harness.faults.vanish import Vanish
from iolab.harness.lab.clients import Group
from iolab.harness.lab.lab import Lab
from iolab.harness.lab.steps import ask, flood, half_close, hang, reset
from iolab.harness.scenarios import sources
from iolab.harness.scenarios.circumstances import (
    mid_message,
    mid_reply,
    prove_owing,
    victims,
)
from iolab.harness.scenarios.scenario import Cite, scenario


def gone(lab: Lab, group: Group) -> Vanish:
    """They vanish, and the subject must find out."""
    lab.trigger(group)
    return lab.inject(Vanish(group))


def expect_noticed(lab: Lab, group: Group) -> None:
    lab.expect_removed(group, by=lab.promised("detect_vanished_s"))


@scenario(
    "vanish.idle",
    title="Gone without FIN or RST, idle",
    expects="Removed within the promised detection time.",
    why="Only keepalive or a timer of its own makes a server ask whether an idle peer still lives.",
    cites=(sources.KEEPALIVE_ASKS, sources.KEEPIDLE),
    quiet=True,
    promises=("detect_vanished_s",),
    faults=(Vanish,),
)
def gone_idle(lab: Lab) -> None:
    group = victims(lab, "victim", ask("still here"), end=[reset()], count=4, client="remote")
    gone(lab, group)
    expect_noticed(lab, group)


@scenario(
    "vanish.mid-message",
    title="Gone in the middle of sending a message",
    expects="Removed within the promised detection time.",
    why="A server that waits for the rest of a message waits for ever.",
    cites=(sources.KEEPALIVE_ASKS, sources.KEEPIDLE),
    quiet=True,
    promises=("detect_vanished_s",),
    faults=(Vanish,),
)
def gone_mid_message(lab: Lab) -> None:
    group = mid_message(lab, "victim", end=[reset()], client="remote")
    gone(lab, group)
    expect_noticed(lab, group)


@scenario(
    "vanish.mid-reply",
    title="Gone while being written to",
    expects="Removed within the promised detection time.",
    why="Keepalive does not probe while data is outstanding: the user timeout has to tell.",
    cites=(
        sources.KEEPALIVE_WHEN_IDLE,
        sources.USER_TIMEOUT,
        Cite(
            "RFC 5482",
            "the user timeout is how long sent data may be unacknowledged before the connection is "
            "closed by force",
        ),
    ),
    quiet=True,
    promises=("detect_vanished_s",),
    faults=(Vanish,),
)
def gone_mid_reply(lab: Lab) -> None:
    group = mid_reply(lab, "victim", end=[reset()], client="remote")
    gone(lab, group)
    expect_noticed(lab, group)


@scenario(
    "vanish.cable",
    title="The client's node is unplugged",
    expects="Removed within the promised detection time, all its connections.",
    why="Nothing arrives, neither FIN nor RST: only keepalive, user timeout or a timer can tell.",
    cites=(sources.KEEPALIVE_ASKS, sources.KEEPIDLE, sources.USER_TIMEOUT),
    quiet=True,
    promises=("detect_vanished_s",),
    faults=(Cable,),
)
def cable(lab: Lab) -> None:
    group = victims(lab, "victim", ask("still here"), end=[], count=4, client="remote")
    lab.trigger(group)
    lab.inject(Cable("remote"))
    expect_noticed(lab, group)


@scenario(
    "vanish.returns",
    title="Comes back without memory and answers with a reset",
    expects="Removed within the promised detection time.",
    why="A rebooted host says no to the first packet that reaches it: the server must send one.",
    cites=(
        sources.HALF_OPEN,
        Cite(
            "RFC 1122 §4.2.3.6",
            "a peer that dropped the connection in a crash answers a keep-alive by a reset",
        ),
        sources.KEEPIDLE,
    ),
    quiet=True,
    promises=("detect_vanished_s",),
    faults=(Vanish,),
)
def returns(lab: Lab) -> None:
    group = victims(lab, "victim", ask("still here"), end=[reset()], count=4, client="remote")
    lab.heal(gone(lab, group))
    # Nothing is sent on an idle connection before the keepalive probe, which draws the reset.
    expect_noticed(lab, group)


@scenario(
    "vanish.frozen",
    title="The client is stopped, and its kernel goes on acknowledging",
    expects="Removed within the idle timeout, if one is promised.",
    why="Its kernel answers each keepalive probe, and a user timeout has nothing to count while "
    "nothing is unsent or unacknowledged: only a timer of the server's own ends such a peer.",
    cites=(sources.KEEPALIVE_ASKS, sources.USER_TIMEOUT, sources.SIGSTOP),
    quiet=True,
    promises=("idle_timeout_s",),
    faults=(FreezeClient,),
)
def frozen(lab: Lab) -> None:
    group = victims(lab, "frozen", ask("still here"), end=[], count=4, client="remote")
    peers = group.peers()
    lab.trigger(group)
    lab.inject(FreezeClient("remote"))
    lab.expect_gone(
        peers,
        lab.inodes_of_group(group),
        by=lab.promised("idle_timeout_s"),
    )


@scenario(
    "vanish.zero-window",
    title="Never opens its receive window again",
    expects="Removed after the idle timeout.",
    why="The peer's kernel answers every window probe, so TCP never gives up. A user timeout "
    "counts a closed window too; but then the kernel has ended it, and no idle timeout.",
    cites=(sources.ZERO_WINDOW, sources.USER_TIMEOUT),
    quiet=True,
    promises=("idle_timeout_s",),
    cases={"": False, "half-closed": True},
)
def zero_window(lab: Lab) -> None:
    if lab.case:
        end = [half_close(), hang()]
        group = mid_reply(lab, "never-reader", end=end, heard_out=True)
        group.go()
        prove_owing(group, states=["CLOSE-WAIT", "LAST-ACK"])
    else:
        asked = flood(8 << 20, 16 << 10)
        group = victims(lab, "never-reader", asked, end=[], narrow=True, count=4)
    group.prove("unsent bytes behind a closed window", send_q_at_least=1)
    lab.trigger(group)
    lab.expect_removed(group, by=lab.promised("idle_timeout_s"))
