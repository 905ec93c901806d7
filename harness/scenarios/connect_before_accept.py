"""Clients that have come and gone before the server could accept them."""

from __future__ import annotations

from iolab.harness.faults.stop_subject import StopSubject
from iolab.harness.lab.lab import Lab
from iolab.harness.lab.steps import Step, close, connect, reset, send, wait
from iolab.harness.scenarios import sources
from iolab.harness.scenarios.scenario import Cite, scenario

UNACCEPTED = 5

# Acknowledgements of handshakes that were dropped until the client says something.
DEFERRED = "TCPDeferAcceptDrop"


def before_accept(lab: Lab, name: str, said: list[Step], end: Step) -> None:
    """They come and go while the server stands still; then it goes on.

    A kernel that was asked to defer accept keeps whoever has not spoken out of its queue: such a
    client's reset is the kernel's own affair, and accept never hears of it.
    """
    snapshot = lab.probe.snapshot("queue")
    room = sum(row.send_q or 0 for row in lab.probe.listeners_in(snapshot))
    count = max(1, min(UNACCEPTED, room))
    lab.hush()
    stopped = lab.inject(StopSubject())
    gone = lab.play(
        name,
        connect(),
        *said,
        wait("go", mark="ready"),
        end,
        count=count,
        must="nothing",
    )
    gone.reached("ready")
    deferred = is_deferred(lab, count, snapshot.counter(DEFERRED))
    gone.go()
    gone.ended()
    if deferred and end["do"] == "reset":
        lab.policy("a client that has not spoken yet", "is kept from accept by TCP_DEFER_ACCEPT")
    else:
        lab.prove_by(
            "before accept: they wait in the accept queue",
            {"accept_queue": {"port": lab.port, "at_least": count}},
        )
    lab.trigger(gone)
    lab.heal(stopped)
    lab.expect_removed(gone)


def is_deferred(lab: Lab, count: int, before: int) -> bool:
    """Whether so many clients wait before the accept queue, their handshakes' ends disregarded."""
    half_open = {"port": lab.port, "states": ["SYN-RECEIVED"], "at_least": count}
    disregarded = {"name": DEFERRED, "above": before + count - 1}
    return lab.probe.sees({"connections": half_open}, within_s=0.0) and lab.probe.sees(
        {"counter": disregarded}, within_s=0.0
    )


@scenario(
    "connect.fin-before-accept",
    title="Connects and closes while the server cannot accept",
    expects="The server lives, nothing leaks.",
    why="accept hands out a connection whose end has already arrived.",
    cites=(sources.ACCEPT, sources.CLOSE_WAIT),
    quiet=True,
    rounds=3,
    cases={"mute": [], "spoken": [send("not waiting for you")]},
    faults=(StopSubject,),
)
def fin_before_accept(lab: Lab) -> None:
    before_accept(lab, "gone", lab.case, close())


@scenario(
    "connect.rst-before-accept",
    title="Connects and resets while the server cannot accept",
    expects="accept failing, or giving a dead socket, is survived.",
    why="Linux gives out the dead socket, whose first use fails; others fail with ECONNABORTED.",
    cites=(
        sources.ECONNABORTED,
        Cite(
            "getpeername(2) ENOTCONN", "to ask a socket for its peer fails when it is not connected"
        ),
    ),
    quiet=True,
    rounds=3,
    cases={"mute": [], "spoken": [send("not waiting for you")]},
    faults=(StopSubject,),
)
def rst_before_accept(lab: Lab) -> None:
    before_accept(lab, "gone", lab.case, reset())
