"""Half-closing: a client has said its last, and still listens."""

from __future__ import annotations

from iolab.harness.lab.clients import Group
from iolab.harness.lab.lab import Lab
from iolab.harness.lab.steps import (
    Step,
    ask,
    close,
    connect,
    expect,
    flood,
    half_close,
    idle,
    send,
    wait,
)
from iolab.harness.scenarios import sources
from iolab.harness.scenarios.circumstances import LONGER, NARROW, prove_owing
from iolab.harness.scenarios.scenario import Cite, scenario

MIB = 1 << 20

# Of who has a long row of replies to read.
WINDOW = 16 << 10

# More than a client with a small window takes, and less than the server's kernel does: a server
# that waits in close for the rest to be taken has written it all.
HELD = 20 << 10


@scenario(
    "reply.half-close",
    title="Sends all, half-closes, reads on",
    expects="The full reply, then EOF.",
    why="A FIN says that the peer has no more to send, not that it no longer listens.",
    cites=(
        sources.HALF_CLOSED,
        Cite("shutdown(2) SHUT_WR", "forbids further sending, and only that"),
    ),
    promises=("half_close",),
    quiet=True,
    connections=lambda case: 6,
    rounds=3,
)
def half_close_and_read_on(lab: Lab) -> None:
    groups = [
        lab.play(
            name,
            connect(**NARROW),
            wait("go", mark="ready"),
            *said,
            half_close(),
            expect(within_s=10),
            expect(eof=True),
            close(),
            count=2,
        )
        for name, said in (
            ("brief", [send("one line")]),
            ("eloquent", [send(size=min(lab.largest, 1 << 20), times=2), send("the end")]),
            ("late", [ask("first"), send("second"), idle(0.2)]),
        )
    ]
    for group in groups:
        group.reached("ready")
    lab.trigger(*groups)
    for group in groups:
        group.go()
    for group in groups:
        group.ended(within_s=20)
    lab.expect_removed(*groups)


@scenario(
    "reply.half-close-unread",
    title="Half-closes with replies unread and unsent, then reads on",
    expects="Every reply, then EOF; no CPU burnt meanwhile.",
    why="The end of input stays readable while replies wait: nobody must poll it again and again, "
    "nor take it for the end of the replies.",
    cites=(sources.HALF_CLOSED, sources.END_IS_READY, sources.EPOLLRDHUP),
    promises=("half_close",),
    quiet=True,
    connections=lambda case: 5,
)
def half_close_unread(lab: Lab) -> None:
    size = min(lab.largest, 192 << 10)
    line = min(lab.largest, 8192)
    short = unread(lab, "short", send(size=size, times=max(1, LONGER // size)), half_close())
    long = unread(lab, "long", flood(8 * MIB, line), half_close(), narrow=False)
    held = unread(lab, "held", send(size=HELD), half_close(), count=1)
    groups = (short, long, held)
    lab.trigger(*groups)
    for group in groups:
        group.go()
    prove_owing(short, states=["CLOSE-WAIT", "LAST-ACK"])
    prove_owing(long)
    # Only a server that keeps its own send buffer small still owes some of this one.
    arrived = ["CLOSE-WAIT", "LAST-ACK"]
    held.prove(
        "a reply is unread, and the end behind it arrived", send_q_at_least=1, states=arrived
    )
    # Whoever waits for them makes the others wait for longer than their bound.
    lab.let_pass(1.2)
    lab.look_at_cpu("while half-closed peers do not read")
    for group in groups:
        group.go("read")
        group.ended(within_s=30)
    lab.expect_removed(*groups)


def unread(lab: Lab, name: str, *said: Step, narrow: bool = True, count: int = 2) -> Group:
    """Clients that say all this while they do not read, and read when told to."""
    group = lab.play(
        name,
        connect(**NARROW) if narrow else connect(receive_buffer=WINDOW),
        {"do": "read", "on": False},
        wait("go", mark="ready"),
        *said,
        wait("read"),
        expect(within_s=25),
        expect(eof=True),
        close(),
        count=count,
    )
    group.reached("ready")
    return group


@scenario(
    "reply.half-close-unfinished",
    title="Half a message, then half-close",
    expects="The declared policy, and the connection ends.",
    why="At the end of input a rest without a newline is either dropped or answered, never kept.",
    cites=(sources.NO_MORE,),
    promises=("unfinished_line", "half_close"),
    quiet=True,
)
def half_close_unfinished(lab: Lab) -> None:
    dropped = lab.promises.unfinished_line == "drop"
    one = lab.play(
        "unfinished",
        connect(),
        ask("a whole line"),
        wait("go", mark="ready"),
        send("half a li", newline=False, unanswered=dropped),
        half_close(),
        *([] if dropped else [expect()]),
        expect(eof=True),
        close(),
    )
    one.reached("ready")
    lab.trigger(one)
    one.go()
    one.ended()
    lab.expect_removed(one)
