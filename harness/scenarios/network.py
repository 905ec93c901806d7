"""The network: what lies between an honest client and the server."""

from __future__ import annotations

from iolab.harness.faults.delay import Delay
from iolab.harness.faults.drop import Drop
from iolab.harness.faults.duplicate import Duplicate
from iolab.harness.faults.packets import PacketRule
from iolab.harness.faults.rate import Rate
from iolab.harness.faults.reject import Reject
from iolab.harness.faults.reorder import Reorder
from iolab.harness.lab.bounds import LEEWAY_S, Bound
from iolab.harness.lab.clients import Group
from iolab.harness.lab.lab import Lab
from iolab.harness.lab.steps import Step, ask, close, connect, half_close, reset, send, wait
from iolab.harness.record.base import Address
from iolab.harness.record.kinds import Must
from iolab.harness.scenarios import sources
from iolab.harness.scenarios.scenario import Cite, scenario

TALK: list[Step] = [
    ask("a word"),
    ask(size=3_000, within_s=20),
    ask(size=60_000, within_s=30),
    ask("and one more", within_s=20),
]


def talker(lab: Lab, *more: Step, count: int = 1, must: Must = "served") -> Group:
    """A client that has connected, talks when told to, and then does what else it is given."""
    group = lab.play(
        "talker",
        connect(),
        ask("before"),
        wait("go", mark="ready"),
        *more,
        count=lab.several(count),
        must=must,
        client="far",
    )
    group.reached("ready")
    return group


def talk_over(lab: Lab, fault: PacketRule) -> None:
    """A conversation while the fault holds must be exact."""
    group = talker(lab, *TALK, close())
    lab.trigger(group)
    lab.inject(fault)
    group.go()
    group.ended(within_s=60)
    lab.heal(fault)
    lab.expect_removed(group, by=Bound(LEEWAY_S, "once the network is whole"))


def far(lab: Lab) -> Address:
    """All connections of the client behind the bad network."""
    return lab.client("far").address


@scenario(
    "network.partition-drop",
    title="Packets are dropped both ways, or one way, and the network is healed in time",
    expects="The connection goes on, not a byte is lost.",
    why="A short partition is for TCP to bridge; a server that ends the connection loses data.",
    cites=(sources.RETRANSMISSION, sources.BACKOFF),
    cases={"both": "both", "in": "in", "out": "out"},
    faults=(Drop,),
)
def partition_drop(lab: Lab) -> None:
    group = talker(lab, *TALK, close())
    lab.trigger(group)
    partition = lab.inject(Drop(peer=far(lab), direction=lab.case))
    group.go()
    lab.prove("packets are lost and sent again", group.is_retransmitting())
    lab.heal(partition)
    group.ended(within_s=30)
    lab.expect_removed(group)


@scenario(
    "network.partition-outlasts",
    title="A partition that is never healed",
    expects="Removed within the promised time.",
    why="Nobody will ever say that these peers are gone.",
    cites=(sources.KEEPALIVE_ASKS, sources.USER_TIMEOUT),
    quiet=True,
    promises=("detect_vanished_s",),
    cases={"idle": "idle", "talking": "talking"},
    faults=(Drop,),
)
def partition_outlasts(lab: Lab) -> None:
    group = talker(lab, send("nobody hears this"), wait("never"), count=4, must="nothing")
    lab.trigger(group)
    partition = lab.inject(Drop(peer=far(lab), direction="out" if lab.case != "idle" else "both"))
    if lab.case == "talking":
        group.go()
    lab.expect_removed(group, by=lab.promised("detect_vanished_s"))
    lab.heal(partition)


@scenario(
    "network.partition-reject",
    title="The server's next segment is answered by a reset instead of silence",
    expects="Removed as soon as the server sends.",
    why="A router or a rebooted host that says no is the kind form of a partition.",
    cites=(sources.NO_SUCH_CONNECTION, sources.SEND_RESET),
    quiet=True,
    faults=(Reject,),
)
def partition_reject(lab: Lab) -> None:
    group = talker(lab, send("this is answered"), wait("never"), count=4, must="nothing")
    lab.trigger(group)
    lab.inject(Reject(peer=far(lab), direction="out", payload=True))
    group.go()
    lab.expect_removed(group)


@scenario(
    "network.loss",
    title="One packet in ten is lost",
    expects="Exact replies.",
    why="TCP repairs it; partial reads and writes become common.",
    cites=(sources.RETRANSMISSION,),
    faults=(Drop,),
)
def loss(lab: Lab) -> None:
    talk_over(lab, Drop(peer=far(lab), probability=0.1, seed=7))


@scenario(
    "network.delay",
    title="Every packet takes 50 ms longer",
    expects="Exact replies.",
    why="What only works in one round trip of a microsecond is not working.",
    cites=(sources.ROUND_TRIPS,),
    faults=(Delay,),
)
def delay(lab: Lab) -> None:
    talk_over(lab, Delay(peer=far(lab), delay_ms=50))


@scenario(
    "network.reorder",
    title="Packets overtake each other",
    expects="Exact replies.",
    why="TCP puts them in order again, in larger and rarer pieces.",
    cites=(sources.IN_ORDER,),
    faults=(Reorder,),
)
def reorder(lab: Lab) -> None:
    talk_over(lab, Reorder(peer=far(lab), payload=True, probability=0.3, seed=11))


@scenario(
    "network.duplicate",
    title="Packets arrive twice",
    expects="Exact replies, none twice.",
    why="TCP drops the copy; the server must never see it.",
    cites=(sources.DUPLICATES,),
    faults=(Duplicate,),
)
def duplicate(lab: Lab) -> None:
    talk_over(lab, Duplicate(peer=far(lab), probability=0.5, seed=13))


@scenario(
    "network.rate",
    title="A line of 2 Mbit/s",
    expects="Exact replies.",
    why="Replies wait in the server's socket, and then in the server.",
    cites=(sources.WINDOW, sources.SEND_FULL),
    faults=(Rate,),
)
def rate(lab: Lab) -> None:
    talk_over(lab, Rate(peer=far(lab), rate_bps=2e6))


@scenario(
    "network.small-segments",
    title="Segments and buffers as small as they come",
    expects="Exact replies.",
    why="Every read and every write is partial.",
    cites=(sources.NARROW_WINDOW, sources.STREAM),
)
def small_segments(lab: Lab) -> None:
    group = lab.play(
        "tiny",
        connect(receive_buffer=2304, send_buffer=4608),
        ask(size=3_000, piece=88, within_s=20),
        ask(size=60_000, piece=500, within_s=30),
        close(),
    )
    lab.trigger(group)
    group.ended(within_s=60)
    lab.expect_removed(group)


@scenario(
    "network.lost-fin",
    title="The client's FIN is lost, once",
    expects="Its retransmission ends the connection.",
    why="The end of a connection is a packet like others.",
    cites=(sources.FIN_AGAIN,),
    quiet=True,
    faults=(Drop,),
)
def lost_fin(lab: Lab) -> None:
    group = talker(lab, close())
    lab.trigger(group)
    lost = lab.inject(Drop(peer=far(lab), direction="in", flags="FIN", count=1))
    group.go()
    group.ended()
    lab.expect_removed(group, by=Bound(LEEWAY_S, "at the FIN's retransmission"))
    lab.heal(lost)


@scenario(
    "network.lost-fin-for-ever",
    title="The client's FIN is lost, again and again",
    expects="Removed within the promised time.",
    why="To the server it is a peer that vanished.",
    cites=(sources.FIN_AGAIN, sources.KEEPALIVE_ASKS, sources.KEEPIDLE),
    quiet=True,
    promises=("detect_vanished_s",),
    faults=(Drop,),
)
def lost_fin_for_ever(lab: Lab) -> None:
    group = talker(lab, close(), must="nothing")
    lab.trigger(group)
    lost = lab.inject(Drop(peer=far(lab), direction="both"))
    group.go()
    lab.expect_removed(group, by=lab.promised("detect_vanished_s"))
    lab.heal(lost)


@scenario(
    "network.lost-handshake-ack",
    title="The last packet of the handshake is lost, once",
    expects="The first data, or the retransmitted SYN-ACK, completes it.",
    why="The client is connected, and the server does not know it yet.",
    cites=(sources.THIRD_SEGMENT, sources.SYNACK_RETRIES),
    faults=(Drop,),
)
def lost_handshake_ack(lab: Lab) -> None:
    peer = lab.client("far").address
    lost = lab.inject(Drop(peer=peer, direction="in", flags="ACK", payload=False, count=1))
    group = lab.play("talker", connect(), ask("first", within_s=10), *TALK, close(), client="far")
    lab.trigger(group)
    group.ended(within_s=40)
    lab.heal(lost)
    lab.expect_removed(group)


@scenario(
    "network.lost-rst",
    title="The client's reset is lost; it is never sent again",
    expects="Removed within the promised detection time.",
    why="A reset is not acknowledged: when it is lost, the peer has vanished.",
    cites=(sources.ABORT,),
    quiet=True,
    promises=("detect_vanished_s",),
    faults=(Drop,),
)
def lost_rst(lab: Lab) -> None:
    group = talker(lab, reset(), must="nothing")
    lab.trigger(group)
    lost = lab.inject(Drop(peer=far(lab), direction="in", flags="RST", count=1))
    group.go()
    lab.prove("the reset is lost", lab.probe.rule_took(lost.rule))
    lab.heal(lost)
    lab.expect_removed(group, by=lab.promised("detect_vanished_s"))


@scenario(
    "network.lost-reply-segment",
    title="The third segment of a long reply is lost, three times",
    expects="The reply is whole.",
    why="Everything behind it waits in the kernels, and nothing may time out or be dropped.",
    cites=(
        sources.BACKOFF,
        Cite(
            "RFC 2018",
            "a receiver tells which blocks it holds behind a gap, while it waits for the gap to be "
            "filled",
        ),
    ),
    faults=(Drop,),
)
def lost_reply_segment(lab: Lab) -> None:
    group = talker(lab, ask(size=30_000, within_s=30), half_close(), close())
    lab.trigger(group)
    lost = lab.inject(Drop(peer=far(lab), direction="out", payload=True, nth=3, count=3))
    group.go()
    group.ended(within_s=40)
    lab.heal(lost)
    lab.expect_removed(group)
