"""Resources: descriptors, when none is free and when their numbers are high."""

from __future__ import annotations

from iolab.harness.faults.limit_descriptors import LimitDescriptors
from iolab.harness.lab.bounds import AT_ONCE_S, Bound
from iolab.harness.lab.clients import Group
from iolab.harness.lab.lab import Lab
from iolab.harness.lab.steps import ask, close, connect, wait
from iolab.harness.scenarios import sources
from iolab.harness.scenarios.scenario import Cite, scenario

# More than one process can let in when two descriptors are spare. Newcomers that can be served are
# served by then.
OUTSIDE = 12
BECOMES_KNOWN_S = 0.5

# Several requests of the holder's.
HOLDER_ASKS_S = 0.3

# Linux takes the descriptor when accept begins to wait: of processes that wait already, each gets
# one more client before accept fails.
TURNS = 4


@scenario(
    "resource.fd-limit",
    title="No descriptor is free for the next client",
    expects="Connected clients are served, CPU does not spin, and it accepts again once some are.",
    why="accept fails and the listener stays readable: the loop that only logs it burns a core.",
    cites=(
        sources.EMFILE,
        Cite(
            "getrlimit(2) RLIMIT_NOFILE",
            "one more than the highest descriptor that the process can open",
        ),
    ),
    connections=lambda case: 18,
    faults=(LimitDescriptors,),
)
def fd_limit(lab: Lab) -> None:
    inside = lab.play(
        "inside",
        connect(),
        ask("early"),
        wait("again", mark="ready"),
        ask("meanwhile"),
        wait("go", mark="waits"),
        ask("still"),
        close(),
        count=6,
    )
    inside.reached("ready")
    lab.bystanders.pause("comer")
    holder = lab.bystanders.pause("holder")
    limit = shut_in(lab, inside, spare=2)
    outside = crowd_out(lab, 0)
    kept_out = not are_in(outside)
    if not kept_out:
        # Each client was handed on to another process: here accept fails when nothing is spare.
        lab.heal(limit)
        leave(outside)
        limit = shut_in(lab, inside, spare=0)
    turn = 0
    while not kept_out and turn < TURNS:
        turn += 1
        outside = crowd_out(lab, turn)
        kept_out = not are_in(outside)
        if not kept_out:
            leave(outside)
    lab.prove(
        "accept fails: clients wait in the accept queue, or are turned away",
        kept_out
        and (
            lab.probe.sees({"accept_queue": {"port": lab.port, "at_least": 1}}, within_s=0.5)
            or outside.reached("ended", within_s=0.5, count=1)
        ),
    )
    # One after the other: who asks a process of its own over a pool of connections needs a
    # descriptor for two at a time, and none for one. Nobody is to look idle to the subject.
    for asked in range(inside.count):
        inside.go("again", count=1)
        if not inside.reached("waits", within_s=10, count=asked + 1):
            break
    inside.go("again")
    lab.trigger(inside)
    lab.bystanders.resume(holder)
    lab.let_pass(HOLDER_ASKS_S)
    lab.bystanders.pause("holder")
    lab.look_at_cpu("while no descriptor is free")
    for served in range(inside.count):
        inside.go(count=1)
        if not inside.reached("ended", within_s=10, count=served + 1):
            break
    inside.go()
    lab.heal(limit)
    outside.go("leave")
    outside.ended(within_s=20)
    lab.expect_removed(inside, outside)


def shut_in(lab: Lab, inside: Group, spare: int) -> LimitDescriptors:
    """From now on only so few descriptors are spare beside those of who is inside."""
    # The descriptor of whoever has just left would be one more, as soon as it is closed.
    alone = lab.only_bystanders()
    alone["only"]["peers"] += inside.peers()
    lab.probe.sees(alone, AT_ONCE_S)
    return lab.inject(LimitDescriptors(spare=spare))


def crowd_out(lab: Lab, turn: int) -> Group:
    """Clients that come while descriptors are scarce."""
    outside = lab.play(
        f"outside-{turn}",
        connect(),
        ask("late", within_s=20),
        wait("leave", mark="in"),
        close(),
        count=OUTSIDE,
        must="served-or-refused",
    )
    outside.reached("connected")
    return outside


def are_in(outside: Group) -> bool:
    """Whether all of them are served nonetheless.

    For a moment each is in the accept queue, whatever becomes of it then.
    """
    return outside.reached("in", within_s=BECOMES_KNOWN_S)


def leave(outside: Group) -> None:
    outside.go("leave")
    outside.ended()


@scenario(
    "resource.fd-setsize",
    title="More clients than select can watch",
    expects="Served, or refused with a reason; no crash. Whoever promises fewer may let them wait.",
    why="select ends at descriptor 1 023: beyond it glibc writes past the set, Python raises.",
    cites=(sources.FD_SETSIZE,),
    cases={"": 1_100},
    # Who promises few lets the others wait for their turn, and has no use for so many descriptors.
    connections=lambda case: 900,
)
def fd_setsize(lab: Lab) -> None:
    most = lab.promises.max_connections
    lab.bystanders.pause("comer")
    crowd = lab.play(
        "crowd",
        connect(within_s=15),
        ask("room for me?", within_s=15),
        wait("go", mark="in"),
        close(),
        count=lab.case,
        must="served-or-refused" if most is None or most >= lab.case else "in-turn-or-refused",
        log=False,
    )
    lab.trigger()
    crowd.reached("in", within_s=20)
    crowd.go()
    crowd.ended(within_s=30)
    lab.expect_removed(crowd, by=Bound(1.0, "at once, so many"))
