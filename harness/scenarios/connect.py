"""Connecting: from the handshake to the first byte, and what comes before accept."""

from __future__ import annotations

import time

from iolab.harness.faults.stop_subject import StopSubject
from iolab.harness.lab.bystanders import BYSTANDERS
from iolab.harness.lab.lab import Lab
from iolab.harness.lab.steps import (
    ask,
    close,
    connect,
    expect,
    flood,
    hang,
    idle,
    repeat,
    send,
    wait,
)
from iolab.harness.record.kinds import HeldUp
from iolab.harness.scenarios import sources
from iolab.harness.scenarios.scenario import Cite, scenario, too_impatient
from iolab.harness.subject.manifest import Promises

# More at once must have been promised.
UNASKED_MOST = 1_000

# One after the other, each of them wakes all who watch the listener.
LATECOMERS = 4
FLOCK = 60

# Until a request whose last packet was dropped with others has come again for the last time.
LAST_RETRY_S = 12.6

# Of a subject's own bound: so many clients are brought about, and so many more.
MOST = 1000
OVER = 5


@scenario(
    "connect.one",
    title="One client, one message",
    expects="The reply, byte for byte, and without delay.",
    why="What fails here fails everywhere: it is the first scenario to look at. A server that is "
    "slow with every answer is named here, once.",
    cites=(sources.HANDSHAKE,),
    rounds=3,
    names_slow=True,
    by_nature="never",
)
def one(lab: Lab) -> None:
    one = lab.play("one", connect(), ask("hello, world"), close())
    one.ended()
    lab.trigger(one)
    lab.expect_removed(one)


def too_many(promises: Promises, crowd: int) -> str | None:
    """Why a crowd of so many is not asked of whoever promises no number: some would be lost.

    What a short backlog drops comes again, after twice as long each time: no fault of the server's.
    """
    if promises.max_connections is not None or crowd <= UNASKED_MOST:
        return None
    return f"{crowd} clients come only to whoever promises max_connections"


@scenario(
    "connect.concurrent",
    title="Many clients at once, several messages each",
    expects="Everyone gets all of its own replies, in order.",
    why="Readiness of many descriptors in one wake-up is where event loops skip or starve some.",
    cites=(sources.MANY_READY,),
    cases={"10": 10, "100": 100, "900": 900, "10000": 10_000},
    connections=lambda case: int(case),
    unsuited=lambda promises, case: too_many(promises, case) or too_impatient(promises, case),
)
def concurrent(lab: Lab) -> None:
    crowd = lab.play(
        "crowd",
        connect(within_s=20),
        wait("go", mark="ready"),
        repeat([ask(size=50, within_s=20)], times=5 * lab.scale),
        wait("leave", mark="answered"),
        close(),
        count=lab.case,
        log=False,
    )
    crowd.reached("ready", within_s=30)
    lab.trigger(crowd)
    crowd.go()
    crowd.reached("answered", within_s=40 * lab.scale)
    crowd.go("leave")
    crowd.ended(within_s=40)
    lab.expect_removed(crowd)


@scenario(
    "connect.burst-over-backlog",
    title="More simultaneous connects than the backlog holds, while the server is busy",
    expects="Each is served or clearly refused; none hangs past its timeout.",
    why="What does not fit into the accept queue is dropped by the kernel and comes again.",
    cites=(
        Cite(
            "listen(2)",
            "the backlog bounds the queue of connections that wait for accept; who finds it full "
            "may be disregarded, so that a later attempt succeeds",
        ),
        sources.OVERFLOW,
    ),
    quiet=True,
    faults=(StopSubject,),
)
def burst_over_backlog(lab: Lab) -> None:
    snapshot = lab.probe.snapshot("backlog")
    # Workers may have a listener each, among which the kernel deals out whoever comes.
    queues = [row.send_q or 0 for row in lab.probe.listeners_in(snapshot)]
    overflows = snapshot.counter("ListenOverflows")
    lab.hush()
    count = sum(queues) + 50 * len(queues)
    most = lab.promises.max_connections
    if most is not None and most < count + BYSTANDERS:
        # Whoever comes in this moment may be turned away with the others.
        lab.bystanders.pause("comer")
    stopped = lab.inject(StopSubject())
    burst = lab.play(
        "burst",
        connect(within_s=20),
        ask("made it", within_s=20),
        close(),
        count=count,
        must="served-or-refused",
        log=False,
    )
    lab.trigger(burst)
    lab.prove_by("over the backlog", {"counter": {"name": "ListenOverflows", "above": overflows}})
    lab.heal(stopped)
    # Dropped handshakes are retried after 1 s, 3 s and 7 s (RFC 6298 §5, tcp(7) tcp_syn_retries),
    # those of a bystander that connects in this moment too; and where its last packet was dropped,
    # its request comes again after 0.2 s, 0.6 s, 1.4 s … 12.6 s, for as long as the queue is full.
    now, why = time.monotonic(), "a handshake that was dropped with the others is retried"
    lab.record(HeldUp(since=now, until=now + LAST_RETRY_S, why=why))
    burst.ended(within_s=30)
    lab.expect_removed(burst)


@scenario(
    "connect.flock",
    title="Several come at once, and then nobody comes any more",
    expects="Everyone is served.",
    why="Of workers that are woken for one newcomer, one gets it: the others must not wait in "
    "accept, with clients of their own, until somebody else comes.",
    cites=(sources.TAKEN_BEFORE_ACCEPT,),
    quiet=True,
    rounds=3,
    connections=lambda case: FLOCK + 1,
    faults=(StopSubject,),
)
def flock(lab: Lab) -> None:
    lab.trigger()
    words = ask(size=2_000, within_s=5)
    waits = [
        (wait(f"with-{number}", mark=f"before-{number}"), wait(f"alone-{number}", mark=f"{number}"))
        for number in range(LATECOMERS)
    ]
    talk = [step for before, behind in waits for step in (before, words, behind, words)]
    flock = lab.play("flock", connect(), *talk, close(), count=FLOCK, log=False)
    for number in range(LATECOMERS):
        if not flock.reached(f"before-{number}"):
            break
        # Whoever wakes has others to answer first, and by then the newcomer may be another's.
        stopped = lab.inject(StopSubject())
        flock.go(f"with-{number}")
        latecomer = lab.play(f"latecomer-{number}", connect(), words, close())
        latecomer.reached("connected")
        lab.heal(stopped)
        latecomer.ended()
        flock.reached(f"{number}")
        flock.go(f"alone-{number}")
    for before, behind in waits:
        flock.go(before["go"])
        flock.go(behind["go"])
    flock.ended()
    lab.expect_removed(flock)


@scenario(
    "connect.over-the-most",
    title="A few more than the subject promises to serve at a time",
    expects="They are served in their turn, or clearly refused; when the others have left, anybody "
    "is served.",
    why="A counter that is not taken back, or a refused socket that is kept, ends the service; a "
    "listener that is watched and not served lets nobody sleep.",
    cites=(sources.ACCEPT, sources.LAST_DESCRIPTOR),
    promises=("max_connections",),
    unsuited=lambda promises, case: (
        f"max_connections = {promises.max_connections}: more than {MOST} are not brought about"
        if (promises.max_connections or 0) > MOST
        else None
    ),
    rounds=3,
)
def over_the_most(lab: Lab) -> None:
    lab.bystanders.pause("comer")
    crowd = lab.play(
        "crowd",
        connect(),
        ask("one of the many"),
        wait("go", mark="in"),
        close(),
        count=lab.several(MOST),
        log=False,
    )
    crowd.reached("in", within_s=15)
    over = lab.play(
        "over",
        connect(),
        ask("room for me?", within_s=10),
        # Or all of them have their turn in the place that a resting bystander leaves.
        wait("leave"),
        close(),
        count=OVER,
        must="served-or-refused",
    )
    over.reached("connected")
    lab.trigger(crowd)
    # Long enough for a refusal, and below every idle timeout of those who are in.
    lab.let_pass(0.3)
    lab.look_at_cpu("while more have come than it serves at a time")
    crowd.go()
    crowd.ended()
    over.go("leave")
    over.ended(within_s=20)
    lab.expect_removed(crowd, over)
    lab.play("next", connect(), ask("and now?"), close(), count=lab.several(OVER)).ended()


@scenario(
    "connect.silent",
    title="Connects and never says a word",
    expects="Costs nobody anything; gone after the idle timeout if one is promised.",
    why="A connection that nobody times out is a descriptor for ever.",
    cites=(sources.KEEPALIVE_IS_OFF,),
    quiet=True,
    rounds=3,
)
def silent(lab: Lab) -> None:
    silent = lab.play(
        "silent", connect(), hang(mark="ready"), count=lab.several(10), must="nothing"
    )
    silent.reached("ready")
    lab.trigger(silent)
    promise = lab.promises.idle_timeout_s
    before = lab.probe.cpu_used()
    if promise is not None:
        lab.expect_removed(silent, by=lab.promised("idle_timeout_s"))
    else:
        # They stay for longer than a bystander may wait.
        lab.let_pass(1.5)
    if lab.quiet:
        lab.expect_rested(before, "while nobody says a word")
    silent.drop()
    lab.expect_removed(silent)


@scenario(
    "connect.churn",
    title="Again and again connect, one message, close",
    expects="Descriptors at baseline, no CLOSE-WAIT left, no connect refused.",
    why="A leak of one descriptor, thread or kilobyte a client ends every server in time.",
    cites=(sources.EMFILE, sources.CLOSE_WAIT),
    rounds=3,
    connections=lambda case: 20,
)
def churn(lab: Lab) -> None:
    times = 10 * lab.scale
    churn = lab.play(
        "churn",
        repeat([connect(), ask("in and out"), close()], times=times),
        count=20,
        log=False,
    )
    lab.turnover(20 * times)
    churn.ended(within_s=60 * lab.scale)


@scenario(
    "connect.patient",
    title="Speaks after 0.7 of the idle timeout, five times; another reads slowly for longer",
    expects="Neither is ever removed.",
    why="An idle timer that runs from accept, or that only reading resets, removes the living.",
    cites=(sources.KEEPALIVE_WHEN_IDLE,),
    promises=("idle_timeout_s",),
    connections=lambda case: 4,
)
def patient(lab: Lab) -> None:
    timeout = lab.promised("idle_timeout_s").seconds
    in_all = min(lab.largest, 8 << 20)
    # Those who leave hand their descriptors on, and must not hand on their timers.
    lab.play("leaver", connect(), ask("and gone"), close(), count=2).ended()
    patient = lab.play(
        "patient",
        connect(),
        ask("first"),
        *[idle(0.7 * timeout), ask("and")] * 5,
        close(),
        count=2,
    )
    # However much of the one long reply the kernels hold, reading it outlasts the timeout.
    slow = lab.play(
        "slow-reader",
        connect(receive_buffer=65536),
        {"do": "read", "on": False},
        send(size=in_all),
        wait("go", mark="ready"),
        expect(rate=in_all / (3 * timeout), within_s=6 * timeout),
        close(),
    )
    # A time-out of the write that was stuck is over when all of it is through.
    relieved = lab.play(
        "once-stuck",
        connect(receive_buffer=8192),
        flood(8 << 20, 8192),
        wait("go", mark="ready"),
        expect(within_s=20),
        *[idle(0.7 * timeout), ask("and on we go")] * 2,
        close(),
    )
    slow.reached("ready", within_s=20)
    relieved.reached("ready", within_s=20)
    lab.trigger(patient, slow, relieved)
    for group in (slow, relieved):
        group.go()
    for group in (patient, slow, relieved):
        group.ended(within_s=6 * timeout)
