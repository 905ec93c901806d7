"""Slowness: peers that take their time must cost nobody else any."""

from __future__ import annotations

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
    reset,
    send,
    wait,
)
from iolab.harness.scenarios import sources
from iolab.harness.scenarios.circumstances import NARROW, mid_reply, prove_owing, prove_read
from iolab.harness.scenarios.scenario import Cite, scenario

MIB = 1 << 20

# "Memory is bounded": so much is offered at least, and resident memory grows by at most this, or by
# four of the largest messages for each of the two.
OFFERED = 256 * MIB
GROWTH_ALLOWED = 64 * MIB

# Longer than the time-outs that are written down for one read and never told.
THOUGHTFUL_S = 5.2

MORE_THAN_A_WINDOW = 64 << 10

# Longer than a bystander may wait. Who makes one wait as no fair server would is looked at for
# longer: a greedy one that is quicker than the hog finds a pause now and then.
HOG_FOR_S = 1.5
MUCH_S = 0.3
SURE_AFTER_S = 8.0


@scenario(
    "slow.sender",
    title="One byte every 100 ms",
    expects="The bystanders' worst latency stays within the bound; the slow one gets its reply.",
    why="A server that waits for the rest of one message makes everybody wait.",
    cites=(sources.ONE_READ,),
)
def sender(lab: Lab) -> None:
    slow = lab.play(
        "slow", connect(), ask("slow but sure, one", piece=1, pause_s=0.1, within_s=10), close()
    )
    slow.reached("connected")
    lab.trigger(slow)
    slow.ended(within_s=20)
    lab.expect_removed(slow)


@scenario(
    "slow.many-senders",
    title="A hundred of them",
    expects="The bystanders' worst latency stays within the bound; each gets its reply.",
    why="A pool of threads that serves the quick is used up by the slow.",
    cites=(sources.ONE_READ,),
    connections=lambda case: 100,
)
def many_senders(lab: Lab) -> None:
    slow = lab.play(
        "slow",
        connect(),
        ask("slow but sure, all", piece=1, pause_s=0.1, within_s=15),
        close(),
        count=100,
        log=False,
    )
    slow.reached("connected", within_s=10)
    lab.trigger(slow)
    slow.ended(within_s=30)
    lab.expect_removed(slow)


@scenario(
    "slow.reader",
    title="Reads a long reply slowly",
    expects="The reply arrives whole; others unharmed.",
    why="A write that is taken in part is to be continued when there is room, with nobody waiting.",
    cites=(sources.PARTIAL_WRITE, sources.WINDOW),
    quiet=True,
    connections=lambda case: 2,
)
def reader(lab: Lab) -> None:
    size = min(lab.largest, 1 << 20)
    # Lines that are too short for one of them to be more than the client's kernel takes.
    times = max(1, MORE_THAN_A_WINDOW // size)
    timeout = lab.promises.idle_timeout_s
    seconds = 1.5 if timeout is None else min(1.5, timeout)
    slow = lab.play(
        "slow-reader",
        connect(**NARROW),
        {"do": "read", "on": False},
        send(size=size, times=times, background=True),
        wait("go", mark="ready"),
        {"do": "read", "on": True},
        expect(rate=times * size / seconds, within_s=20),
        close(),
        count=2,
    )
    slow.reached("ready", within_s=10)
    prove_owing(slow)
    paused = lab.play(
        "pausing-reader",
        connect(receive_buffer=8192),
        flood(8 * MIB, 8192),
        wait("go", mark="ready"),
        expect(within_s=20),
        ask("and on we go", within_s=10),
        close(),
    )
    paused.reached("ready", within_s=20)
    lab.trigger(slow, paused)
    slow.go()
    if timeout is None and lab.promises.detect_vanished_s:
        # Its kernel answers every probe: whoever does not promise to end idle peers has no reason.
        lab.let_pass(lab.promises.detect_vanished_s + 0.5)
    paused.go()
    slow.ended(within_s=30)
    paused.ended(within_s=30)
    lab.expect_removed(slow, paused)


@scenario(
    "slow.never-reader",
    title="Sends without end and never reads",
    expects="The server stops reading from it; memory bounded; others unharmed.",
    why="Replies that nobody reads must wait in bounded buffers, in the end with the peer itself.",
    cites=(sources.WINDOW, sources.SEND_FULL),
    quiet=True,
    connections=lambda case: 2,
)
def never_reader(lab: Lab) -> None:
    greedy = lab.play(
        "never-reader",
        connect(),
        flood(OFFERED // 2, 16 << 10, stalled_after_s=1.0),
        wait("go", mark="stalled"),
        close(),
        count=2,
        must="nothing",
    )
    greedy.reached("connected")
    before = lab.probe.resident()
    lab.trigger(greedy)
    greedy.reached("stalled", within_s=40)
    # Whoever waits for such a peer makes the others wait for longer than their bound.
    lab.let_pass(1.0)
    told = ", ".join(str(report.flooded) for report in greedy.report())
    lab.expect_bounded_memory(
        before,
        offered=OFFERED,
        allowed=max(GROWTH_ALLOWED, 8 * (lab.promises.max_message or 0)),
        how=f"the senders ended as: {told}",
    )
    lab.look_at_cpu("while two clients do not read")
    greedy.go()
    lab.expect_removed(greedy)


@scenario(
    "slow.unread-crowd",
    title="Forty clients that do not read their replies",
    expects="The bystanders' worst latency stays within the bound; the forty are removed at once.",
    why="A pool of threads or tasks that waits for one peer each is used up by a few such peers.",
    cites=(sources.SEND_FULL,),
    connections=lambda case: 40,
)
def unread_crowd(lab: Lab) -> None:
    crowd = mid_reply(lab, "never-reader", end=[reset()], count=40)
    lab.trigger(crowd)
    lab.let_pass(1.2)
    crowd.go()
    lab.expect_removed(crowd)


@scenario(
    "slow.paused-message",
    title="A message in three parts, with pauses between them",
    expects="The reply, byte for byte; no CPU burnt meanwhile.",
    why="A time-out for one read is no time-out for a message: what was read before is dropped. "
    "And what is looked at but left unread stays readable.",
    cites=(sources.RECEIVE_TIMEOUT,),
)
def paused_message(lab: Lab) -> None:
    limits = (lab.promises.idle_timeout_s, lab.promises.message_deadline_s)
    pause = min(1.2, *(0.3 * limit for limit in limits if limit is not None), 1.2)
    slow = lab.play(
        "pausing",
        connect(),
        ask("first"),
        ask("begun, then continued, then ended", piece=12, pause_s=pause, within_s=10),
        ask("last"),
        close(),
    )
    half = lab.play(
        "half-said",
        connect(),
        ask("first"),
        send("begun,", newline=False),
        wait("go", mark="begun"),
        ask(" then ended"),
        close(),
    )
    # Nobody has said that it ends who is idle: it has no time-out that anybody knows of.
    thoughtful = lab.play(
        "thoughtful",
        connect(),
        ask("first"),
        idle(THOUGHTFUL_S if lab.promises.idle_timeout_s is None else pause),
        ask("last"),
        close(),
    )
    slow.reached("connected")
    half.reached("begun")
    lab.trigger(slow, half, thoughtful)
    lab.look_at_cpu("while half a message waits for its rest")
    half.go()
    half.ended()
    slow.ended(within_s=20)
    thoughtful.ended(within_s=20)
    lab.expect_removed(slow, half, thoughtful)


@scenario(
    "slow.stalled-message",
    title="Half a message, then nothing",
    expects="Removed after the idle timeout.",
    why="A buffer with a part in it is no sign of life.",
    cites=(sources.KEEPALIVE_ASKS,),
    quiet=True,
    promises=("idle_timeout_s",),
)
def stalled_message(lab: Lab) -> None:
    stalled = lab.play(
        "stalled",
        connect(),
        ask("one whole"),
        send("and half of", newline=False, unanswered=True),
        hang(mark="ready"),
        count=lab.several(4),
        must="nothing",
    )
    stalled.reached("ready")
    prove_read(stalled, after=len("one whole\n"))
    lab.trigger(stalled)
    lab.expect_removed(stalled, by=lab.promised("idle_timeout_s"))


@scenario(
    "slow.hog",
    title="One client sends and reads as fast as it can",
    expects="The others' latency stays within the bound.",
    why="Reading from one descriptor until it is dry starves all others.",
    cites=(
        Cite(
            "epoll(7)",
            "whoever drains one descriptor may starve the others; a list of the ready ones, served "
            "in turn, prevents it",
        ),
    ),
    rounds=3,
)
def hog(lab: Lab) -> None:
    hog = lab.play(
        "hog",
        connect(),
        # The same words again and again: what costs the hog little is not so soon outrun.
        repeat([send("faster! " * 12, times=5_000)]),
        expect(within_s=20),
        close(),
    )
    hog.reached("connected")
    begun = lab.trigger(hog)
    lab.let_pass(HOG_FOR_S)
    if lab.bystanders.longest_wait(begun) > MUCH_S:
        lab.let_pass(SURE_AFTER_S)
    hog.finish(within_s=30)
    lab.expect_removed(hog)


@scenario(
    "slow.endless-message",
    title="One byte each half idle timeout, for ever",
    expects="INFORMATIONAL, unless a deadline for messages is promised.",
    why="Each byte is a sign of life; only a deadline for the whole message ends such a peer.",
    cites=(
        sources.IDLE,
        Cite(
            "Slowloris (RSnake, 2009)",
            "requests that are never ended, kept alive by a line now and then, use up the "
            "connections of an HTTP server",
        ),
    ),
    promises=("idle_timeout_s",),
)
def endless_message(lab: Lab) -> None:
    timeout = lab.promised("idle_timeout_s").seconds
    deadline = lab.promises.message_deadline_s
    byte = send("x", newline=False, unanswered=True)
    endless = lab.play(
        "endless",
        connect(),
        repeat([byte], every_s=timeout / 2, mark="ready"),
        must="nothing",
    )
    endless.reached("ready")
    lab.trigger(endless)
    if deadline is not None:
        lab.expect_removed(endless, by=lab.promised("message_deadline_s"))
    else:
        removed = lab.probe.sees(lab.gone(endless), within_s=2 * timeout)
        lab.policy("an endless message", "is ended" if removed else "is waited for, byte by byte")
        # Whoever serves one at a time, and promises no more, is free for the next one only then.
        endless.drop()


@scenario(
    "slow.crowd",
    title="One in a hundred is slow among many",
    expects="The others do not notice.",
    why="The slow are few in every real crowd, and they are always there.",
    cites=(sources.ONE_READ,),
    cases={"200": 200, "900": 900},
    connections=lambda case: int(case),
)
def crowd(lab: Lab) -> None:
    few = max(2, lab.case // 100)
    slow = lab.play(
        "slow",
        connect(),
        ask("slow but sure, few", piece=1, pause_s=0.1, within_s=15),
        close(),
        count=few,
    )
    quick = lab.play(
        "quick",
        connect(within_s=10),
        wait("go", mark="ready"),
        repeat([ask("quick", within_s=10), idle(0.2)], times=3),
        close(),
        count=lab.case - few,
        log=False,
    )
    quick.reached("ready", within_s=15)
    lab.trigger(quick)
    quick.go()
    quick.ended(within_s=30)
    slow.ended(within_s=30)
    lab.expect_removed(quick, slow)
