"""Connecting over a network that keeps something back, or brings it twice."""

from __future__ import annotations

from iolab.harness.faults.drop import Drop
from iolab.harness.faults.vanish import Vanish
from iolab.harness.lab.lab import Lab
from iolab.harness.lab.steps import ask, close, connect, reset, wait
from iolab.harness.scenarios import sources
from iolab.harness.scenarios.scenario import Cite, scenario


@scenario(
    "connect.same-tuple",
    title="Vanishes, then connects again from the same address and port",
    expects="The new connection works, the old one is removed.",
    why="The server still has the old one: its kernel challenges, and the reset ends the old.",
    cites=(
        sources.SYN_ON_OLD,
        Cite(
            "RFC 5961 §4.2",
            "a SYN within an established connection is answered by an acknowledgement, whatever "
            "its number, and dropped; only the peer's reset confirms that the old connection is "
            "gone",
        ),
    ),
    quiet=True,
    connections=lambda case: 2,
    faults=(Vanish,),
)
def same_tuple(lab: Lab) -> None:
    old = lab.play(
        "old", connect(), ask("first life"), wait("go", mark="ready"), reset(), must="nothing"
    )
    old.reached("ready")
    lab.trigger(old)
    [peer] = old.peers()
    inodes = lab.inodes_of_group(old)
    gone = lab.inject(Vanish(old))
    lab.heal(gone)
    new = lab.play("new", connect(within_s=10), ask("second life"), close(), bind=peer)
    new.ended(within_s=15)
    lab.expect_gone([], inodes)


@scenario(
    "connect.syn-flood",
    title="Handshakes that are never finished",
    expects="Bystanders still connect.",
    why="Half-open handshakes fill a queue of their own; SYN cookies step in when it is full.",
    cites=(
        Cite(
            "RFC 4987",
            "a listener keeps state for handshakes that are not finished, and enough of them leave "
            "no room for new connections",
        ),
        sources.SYN_COOKIES,
    ),
    faults=(Drop,),
)
def syn_flood(lab: Lab) -> None:
    number = 200
    lost = lab.inject(Drop(peer=lab.client().address, direction="out", flags="SYN,ACK"))
    flood = lab.play("flood", connect(within_s=4), count=number, must="nothing", log=False)
    lab.trigger()
    lab.prove_by(
        "handshakes are not finished",
        {"connections": {"port": lab.port, "states": ["SYN-RECEIVED"], "at_least": 20}},
    )
    visitors = lab.play(
        "visitor", connect(), ask("still open?"), close(), count=20, client="visitors"
    )
    visitors.ended()
    flood.drop()
    lab.heal(lost)
