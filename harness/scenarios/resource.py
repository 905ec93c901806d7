"""Resources: descriptors, CPU, memory, and being stopped."""

from __future__ import annotations

from typing import Any

from iolab.harness.faults.stop_subject import StopSubject
from iolab.harness.lab.bounds import Bound
from iolab.harness.lab.clients import Group
from iolab.harness.lab.lab import Lab
from iolab.harness.lab.steps import ask, close, connect, expect, flood, hang, repeat, send, wait
from iolab.harness.record.kinds import Figure
from iolab.harness.record.probe import Snapshot
from iolab.harness.scenarios import sources
from iolab.harness.scenarios.scenario import Cite, scenario, too_impatient

MIB = 1 << 20

# An engine takes a megabyte of the log before its pipe fills.
FULL: dict[str, Any] = {"full_output": {}}
MORE_CHATTER = 20
LOG_ARRIVES_S = 0.3

# Sixty bytes kept of each are more than an allocator's noise.
MESSAGES = 30_000

# What never-readers may claim of the subject's memory, all together: a runtime that reads a quarter
# of a megabyte at a time, and has it in its buffers several times over, takes two for each of them.
ALLOWED = 320 * MIB


@scenario(
    "resource.idle-cpu",
    title="Many idle connections",
    expects="Close to no CPU and no wake-ups.",
    why="Who has nothing to do sleeps in one system call; polling and busy timers show here.",
    cites=(sources.NO_TIMEOUT,),
    connections=lambda case: 500,
    names_restless=True,
)
def idle_cpu(lab: Lab) -> None:
    crowd = lab.play("idle", connect(), hang(mark="in"), count=500, must="nothing", log=False)
    crowd.reached("in", within_s=10)
    lab.bystanders.pause()
    lab.trigger(crowd)
    first = lab.probe.snapshot("idle begins")
    lab.expect_calm("with 500 idle connections", for_s=0.5, at_most=0.05, within_s=1.5)
    second = lab.probe.snapshot("idle ends")
    elapsed = second.t - first.t
    wakes = round((switches(second) - switches(first)) / elapsed, 1)
    lab.record(Figure(name="wake-ups", value=wakes, unit="a second"))
    crowd.drop()
    lab.bystanders.resume()
    lab.expect_removed(crowd, by=Bound(1.0, "at once, so many"))


def switches(snapshot: Snapshot) -> int:
    """How often the subject's threads went to sleep by themselves."""
    return sum(
        thread.switches[0] for process in snapshot.processes for thread in process.seen_threads
    )


@scenario(
    "resource.memory",
    title="What an idle connection costs in memory",
    expects="Reported in KiB a connection.",
    why="A buffer for each connection before it needs one is what many of them add up.",
    cites=(sources.RESIDENT,),
    cases={"1000": 900, "10000": 10_000},
    connections=lambda case: int(case),
    unsuited=too_impatient,
)
def memory(lab: Lab) -> None:
    before = lab.probe.resident()
    crowd = lab.play("idle", connect(), hang(mark="in"), count=lab.case, must="nothing", log=False)
    crowd.reached("in", within_s=20)
    lab.trigger(crowd)
    snapshot = lab.probe.snapshot("memory")
    grown = snapshot.rss - before
    # Not all that are connected need have been accepted: TCP_DEFER_ACCEPT waits for a word.
    # What it has with a process of its own is not one of them.
    inside = sum(
        bool(row.owners) and row.local is not None and row.local[1] == lab.port
        for row in snapshot.connections
    )
    each = round(grown / max(1, inside) / 1024, 2)
    lab.record(Figure(name="memory", value=each, unit="KiB a connection"))
    crowd.drop()
    lab.expect_removed(crowd, by=Bound(2.0, "at once, so many"))


@scenario(
    "resource.starved",
    title="A tenth of a CPU",
    expects="Slow, and right.",
    why="Time passes between any two lines of the server: races and impatient timers show.",
    cites=(
        Cite(
            "cgroups(7) cpu",
            "a group may get an upper limit of CPU time, which holds even if nobody else wants any",
        ),
    ),
    abilities=("cpu-limit",),
    connections=lambda case: 20,
)
def starved(lab: Lab) -> None:
    lab.life.limit(cpus=0.1)
    slow = lab.play(
        "patient",
        connect(within_s=15),
        repeat([ask(size=2000, within_s=20)], times=5),
        close(),
        count=20,
        log=False,
    )
    lab.trigger()
    slow.ended(within_s=60)
    lab.life.limit()
    lab.expect_removed(slow)


@scenario(
    "resource.messages",
    title="Tens of thousands of short messages",
    expects="Each is answered, and memory does not grow with their number.",
    why="What is noted of each message and never forgotten is small beside a large one.",
    cites=(sources.RESIDENT,),
    rounds=3,
)
def messages(lab: Lab) -> None:
    talk = [send("x", times=MESSAGES), expect(within_s=20)] * lab.scale
    lab.play("talkative", connect(), *talk, close()).ended(within_s=30 * lab.scale)


@scenario(
    "resource.memory-limit",
    title="A memory limit below what a hundred never-readers could claim",
    expects="No OOM kill.",
    why="Unbounded buffers end with the kernel's killer, and every client with them.",
    cites=(
        Cite(
            "cgroups(7) memory",
            "the memory of a group of processes, the kernel's for them included, may be limited",
        ),
    ),
    abilities=("memory-limit",),
    connections=lambda case: 100,
)
def memory_limit(lab: Lab) -> None:
    # A server may hold messages as large as it promises for each of them: fewer, then, offer more.
    each = MIB + 4 * (lab.promises.max_message or 0)
    count = max(4, min(100, ALLOWED // each))
    lab.life.limit(memory=lab.probe.resident() + max(ALLOWED, count * each))
    greedy = lab.play(
        "never-reader",
        connect(),
        flood(max(8 * MIB, 4 * each), 16 << 10, stalled_after_s=1.0),
        wait("go", mark="stalled"),
        close(),
        count=count,
        must="nothing",
        log=False,
    )
    lab.trigger(greedy)
    greedy.reached("stalled", within_s=60)
    greedy.go()
    lab.expect_removed(greedy, by=Bound(2.0, "at once, so many"))
    lab.life.limit()


@scenario(
    "resource.signals",
    title="Stopped and continued fifty times under load",
    expects="Service goes on, no reply lost.",
    why="Some waits end early when the process was stopped and goes on: on Linux epoll_wait, "
    "sigtimedwait and a recv with a time-out do; select, poll, accept, plain recv and send do not.",
    cites=(sources.STOPPED_WAITS,),
    connections=lambda case: 10,
    faults=(StopSubject,),
)
def signals(lab: Lab) -> None:
    load = lab.play(
        "load",
        connect(),
        repeat([ask(size=2000, within_s=10)], every_s=0.005),
        close(),
        count=10,
        log=False,
    )
    load.reached("connected")
    lab.trigger()
    for _ in range(50):
        lab.heal(lab.inject(StopSubject()))
    load.finish()
    lab.expect_removed(load)


@scenario(
    "resource.frozen-server",
    title="The subject stands still for 2 s and goes on",
    expects="Every request is answered, none twice.",
    why="Timers that ran out meanwhile fire all at once, before the data that had arrived is read.",
    cites=(sources.SIGSTOP,),
    connections=lambda case: 20,
    faults=(StopSubject,),
)
def frozen_server(lab: Lab) -> None:
    waiting = lab.play(
        "waiting",
        connect(),
        ask("before"),
        wait("go", mark="ready"),
        ask("during", within_s=15),
        ask("after", within_s=15),
        close(),
        count=20,
        log=False,
    )
    waiting.reached("ready")
    lab.trigger(waiting)
    stopped = lab.inject(StopSubject())
    waiting.go()
    # Longer than its idle timers, if they are short: they have run out when it goes on.
    lab.let_pass(max(2.0, min(4.0, 1.2 * (lab.promises.idle_timeout_s or 0.0))))
    lab.heal(stopped)
    waiting.ended(within_s=20)
    lab.expect_removed(waiting)


@scenario(
    "resource.stdout-stuck",
    title="Nobody reads the subject's log",
    expects="Service goes on.",
    why="A pipe holds 64 KiB; then the write that logs a line waits for a reader, and all clients.",
    cites=(
        Cite(
            "pipe(7)",
            "a pipe holds 65,536 bytes unless told otherwise; when it is full, a write blocks or "
            "fails",
        ),
        sources.WRITE_EAGAIN,
    ),
)
def stdout_stuck(lab: Lab) -> None:
    before = lab.life.lines_logged()
    chatter(lab, "sample", times=2).ended()
    lab.let_pass(LOG_ARRIVES_S)
    logs = lab.life.lines_logged() > before
    lab.life.hold_output(True)
    lab.trigger()
    churn = chatter(lab, "churn", times=40)
    churn.ended(within_s=30)
    more = 0
    while not (full := lab.probe.sees(FULL, within_s=0.1)) and logs and more < MORE_CHATTER:
        more += 1
        chatter(lab, f"more-{more}", times=40).ended(within_s=30)
    if logs:
        lab.prove("nobody reads the log: its pipe is full", full)
        # And what is left of it, where that cannot be seen.
        chatter(lab, "behind-it", times=10).ended(within_s=30)
    elif not full:
        lab.policy("its log", "has no line for a client that comes, asks and goes")
    lab.life.hold_output(False)
    lab.expect_removed(churn)


def chatter(lab: Lab, name: str, times: int) -> Group:
    """Twenty clients, or fewer who come more often: who writes a line of it soon fills a pipe."""
    count = lab.several(20)
    talk = [ask("written down, line by line?")] * 5
    steps = repeat([connect(), *talk, close()], times=times * 20 // count)
    return lab.play(name, steps, count=count, log=False)
