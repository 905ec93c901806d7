"""The server's own life: how it ends, and how it begins again."""

from __future__ import annotations

from iolab.harness.lab.bounds import AT_ONCE, LEEWAY_S
from iolab.harness.lab.clients import Group
from iolab.harness.lab.lab import Lab
from iolab.harness.lab.steps import ask, close, connect, expect, flood, hang, repeat, send, wait
from iolab.harness.record.kinds import ListensOn, SecondInstance
from iolab.harness.scenarios import sources
from iolab.harness.scenarios.circumstances import LONGER, NARROW, prove_owing, prove_read
from iolab.harness.scenarios.scenario import Cite, scenario

CLIENTS = 4

# Below what any server takes for idleness.
TALKS_EVERY_S = 0.02

# A listener that SIGTERM closes is closed by then, in shares of the grace time.
CLOSED_BY = 0.25

# What is in flight is longer than the kernels hold, and soon through once it is read.
IN_FLIGHT = 256 << 10


def terminate(lab: Lab, *groups: Group) -> None:
    """SIGTERM, while these groups alone are there; from now on the subject must act on them."""
    lab.bystanders.leave()
    lab.trigger(*groups)
    lab.life.stop("SIGTERM")


def expect_end(lab: Lab) -> None:
    """It must end within its grace time since then, as if all were well."""
    lab.life.expect_stop(by=lab.promised("graceful_stop_s"), asked="SIGTERM", allowed=(0,))


@scenario(
    "lifecycle.sigterm",
    title="SIGTERM with replies in flight",
    expects="They are finished, the listener is closed, exit status 0 within the grace time.",
    why="A deployment ends every server this way; what was accepted is to be answered.",
    cites=(sources.SIGTERM, sources.DELIVERED),
    promises=("graceful_stop_s",),
    quiet=True,
)
def sigterm(lab: Lab) -> None:
    grace = lab.promised("graceful_stop_s")
    # One line, so that the server must have read it whole, and longer than the kernels hold; of
    # lines that are too short for that, several, of which it need not have read the last.
    size = min(lab.largest, IN_FLIGHT)
    in_flight = lab.play(
        "in-flight",
        connect(**NARROW),
        {"do": "read", "on": False},
        send(size=size, times=max(1, LONGER // size), background=True),
        wait("go", mark="ready"),
        {"do": "read", "on": True},
        expect(within_s=grace.within_s),
        expect(eof=True, within_s=grace.within_s),
        close(),
        count=lab.several(CLIENTS),
        must="ended",
        owed=1,
    )
    in_flight.reached("ready", within_s=10)
    prove_owing(in_flight)
    lab.note_owed(in_flight)
    terminate(lab, in_flight)
    deaf = {"connections": {"port": lab.port, "states": ["LISTEN"], "at_most": 0}}
    lab.record(ListensOn(held=not lab.probe.sees(deaf, CLOSED_BY * grace.seconds)))
    in_flight.go()
    in_flight.ended(within_s=grace.within_s + LEEWAY_S)
    expect_end(lab)


@scenario(
    "lifecycle.restart",
    title="SIGKILL to the main process with clients connected, started again at once",
    expects="It binds and serves at once.",
    why="Connections of the dead server hold its address unless SO_REUSEADDR is set.",
    cites=(sources.REUSEADDR, sources.TIME_WAIT),
)
def restart(lab: Lab) -> None:
    clients = lab.play(
        "orphaned",
        connect(),
        ask("before the end"),
        expect(eof=True, within_s=10, mark="ready"),
        hang(past_end=True, mark="told"),
        count=lab.several(CLIENTS),
        must="nothing",
    )
    clients.reached("ready")
    lab.bystanders.leave()
    lab.trigger(clients)
    lab.life.stop("SIGKILL")
    lab.life.expect_stop(by=AT_ONCE, asked="SIGKILL", allowed=None)
    clients.reached("told")
    states = ["FIN-WAIT-1", "FIN-WAIT-2"]
    if lab.life.look_for_survivors():
        states += ["ESTABLISHED", "CLOSE-WAIT"]  # a process for each client may serve it on
    held = {"port": lab.port, "states": states, "at_least": clients.count}
    lab.prove_by("connections of the dead server hold its address", {"connections": held})
    lab.life.start_again()


@scenario(
    "lifecycle.sigterm-idle",
    title="SIGTERM with idle clients and nothing to do",
    expects="Their connections are closed, exit status 0 within the grace time.",
    why="A server that waits for idle clients to leave never ends.",
    cites=(sources.SIGTERM,),
    promises=("graceful_stop_s",),
    quiet=True,
)
def sigterm_idle(lab: Lab) -> None:
    grace = lab.promised("graceful_stop_s")
    clients = lab.play(
        "idle",
        connect(),
        ask("one word"),
        wait("go", mark="ready"),
        expect(eof=True, within_s=grace.within_s),
        close(),
        count=lab.several(CLIENTS),
        must="ended",
        owed=1,
    )
    clients.reached("ready")
    terminate(lab, clients)
    clients.go()
    expect_end(lab)
    clients.ended()


@scenario(
    "lifecycle.sigterm-stuck-peer",
    title="SIGTERM with a peer that never reads",
    expects="It still exits within the grace time.",
    why="Finishing what is in flight has a bound, or one dead peer keeps the server alive.",
    cites=(sources.SIGTERM, sources.ZERO_WINDOW),
    promises=("graceful_stop_s",),
    quiet=True,
)
def sigterm_stuck_peer(lab: Lab) -> None:
    stuck = lab.play(
        "never-reader",
        connect(**NARROW),
        flood(8 << 20, 16 << 10),
        wait("never", mark="stalled"),
        count=lab.several(2),
        must="nothing",
    )
    stuck.reached("stalled", within_s=20)
    prove_owing(stuck)
    terminate(lab, stuck)
    expect_end(lab)


@scenario(
    "lifecycle.sigterm-busy",
    title="SIGTERM with a client that goes on talking, or has said half a message",
    expects="It still exits within the grace time, with status 0.",
    why="Finishing what was begun has a bound: who always has one more request, or never ends the "
    "one that is begun, keeps the server alive.",
    cites=(sources.SIGTERM,),
    promises=("graceful_stop_s",),
    cases={
        "talking": False,
        "half-said": True,
    },
)
def sigterm_busy(lab: Lab) -> None:
    more = [repeat([ask("and another thing")], every_s=TALKS_EVERY_S, mark="ready")]
    if lab.case:
        more = [send("half a", newline=False, unanswered=True), wait("never", mark="ready")]
    busy = lab.play("busy", connect(), ask("first"), *more, count=lab.several(2), must="nothing")
    busy.reached("ready")
    if lab.case:
        prove_read(busy, after=len("first\n"))
    terminate(lab, busy)
    expect_end(lab)


@scenario(
    "lifecycle.address-in-use",
    title="A second instance on the same port",
    expects="A clear error, a non-zero exit; the first is unharmed.",
    why="SO_REUSEPORT, or a bind whose error is ignored, splits the clients between the two.",
    cites=(
        Cite("bind(2) EADDRINUSE", "bind fails when the address is in use"),
        sources.REUSEPORT,
    ),
)
def address_in_use(lab: Lab) -> None:
    lab.trigger()
    listening = lab.probe.listeners()
    second = lab.life.start_second()
    status = second.wait(lab.subject.start_s)
    lab.record(
        SecondInstance(
            status=status,
            said=[line for _, _, line in second.log()][-5:],
            listens=status is None and bool(lab.probe.listeners() - listening),
        )
    )
    one = lab.play("one", connect(), ask("who answers?"), close())
    one.ended()
    lab.expect_removed(one)
