"""Disconnecting: how a client ends, and at which moment of the connection's life."""

from __future__ import annotations

from iolab.harness.faults.kill_client import KillClient
from iolab.harness.faults.stop_subject import StopSubject
from iolab.harness.lab.lab import Lab
from iolab.harness.lab.steps import ask, close, connect, half_close, read, reset, send, wait
from iolab.harness.scenarios import sources
from iolab.harness.scenarios.circumstances import (
    leave,
    mid_message,
    mid_reply,
    prove_owing,
    victims,
)
from iolab.harness.scenarios.scenario import Cite, scenario


@scenario(
    "disconnect.fin-idle",
    title="Close between two messages",
    expects="Removed at once.",
    why="A descriptor that is kept after EOF sits in CLOSE-WAIT for ever.",
    cites=(
        sources.CLOSE_WAIT,
        Cite("read(2)", "a read that returns no bytes tells of the end"),
    ),
    quiet=True,
    rounds=3,
)
def fin_idle(lab: Lab) -> None:
    leave(lab, victims(lab, "closer", ask("before I go"), end=[close()]))


@scenario(
    "disconnect.fin-unspoken",
    title="Close without ever having spoken",
    expects="Removed at once.",
    why="Per-client state that the first byte creates does not exist yet.",
    cites=(sources.CLOSE_WAIT,),
    quiet=True,
    rounds=3,
)
def fin_unspoken(lab: Lab) -> None:
    leave(lab, victims(lab, "mute", end=[close()]))


@scenario(
    "disconnect.rst-idle",
    title="Reset between two messages",
    expects="Removed at once.",
    why="The socket leaves the kernel's tables, and only the descriptor tells that it was kept.",
    cites=(sources.RESET_ENDS, sources.READ_RESET, sources.ABORT),
    quiet=True,
    rounds=3,
)
def rst_idle(lab: Lab) -> None:
    leave(lab, victims(lab, "resetter", ask("before I go"), end=[reset()]))


@scenario(
    "disconnect.rst-unspoken",
    title="Reset without ever having spoken",
    expects="Removed at once.",
    why="The first read fails before any per-client state exists.",
    cites=(sources.RESET_ENDS, sources.READ_RESET),
    quiet=True,
    rounds=3,
)
def rst_unspoken(lab: Lab) -> None:
    leave(lab, victims(lab, "mute", end=[reset()]))


@scenario(
    "disconnect.fin-mid-message",
    title="Close in the middle of a message",
    expects="Removed; no reply is made up from half a message.",
    why="A buffer with a part in it is no reason to wait for the rest.",
    cites=(sources.NO_MORE,),
    quiet=True,
    rounds=3,
)
def fin_mid_message(lab: Lab) -> None:
    leave(lab, mid_message(lab, "closer", end=[close()]))


@scenario(
    "disconnect.rst-mid-message",
    title="Reset in the middle of a message",
    expects="Removed; no reply is made up from half a message.",
    why="The read that wanted the rest fails; the part before it must not linger.",
    cites=(sources.RESET_ENDS, sources.READ_RESET),
    quiet=True,
    rounds=3,
)
def rst_mid_message(lab: Lab) -> None:
    leave(lab, mid_message(lab, "resetter", end=[reset()]))


@scenario(
    "disconnect.fin-mid-reply",
    title="Half-close, then close, while the server writes a long reply",
    expects="EPIPE or ECONNRESET is survived; removed.",
    why="End of input arrives first, and while bytes are unsent the reset follows.",
    cites=(sources.CLOSE_WAIT, sources.EPIPE, sources.UNREAD_RESET),
    quiet=True,
    rounds=3,
)
def fin_mid_reply(lab: Lab) -> None:
    end = [half_close(), wait("end", mark="half"), close()]
    closers = mid_reply(lab, "closer", end=end, heard_out=True)
    lab.trigger(closers)
    closers.go()
    closers.reached("half")
    prove_owing(closers, states=["CLOSE-WAIT", "LAST-ACK"])
    closers.go("end")
    closers.ended()
    lab.expect_removed(closers)


@scenario(
    "disconnect.rst-mid-reply",
    title="Reset while the server writes a long reply",
    expects="EPIPE or ECONNRESET is survived; removed.",
    why="The write fails, or the next wait reports an error: both must end the connection.",
    cites=(sources.RESET_ENDS, sources.SEND_RESET, sources.EPIPE),
    quiet=True,
    rounds=3,
)
def rst_mid_reply(lab: Lab) -> None:
    leave(lab, mid_reply(lab, "resetter", end=[reset()]))


@scenario(
    "disconnect.unread",
    title="Close with unread data in the client's buffer",
    expects="The reset that follows is survived; removed.",
    why="A close with unread data is answered by the kernel with a reset instead of a FIN.",
    cites=(
        sources.UNREAD_RESET,
        Cite(
            "RFC 2525 §2.17",
            "a TCP that sends no reset when a program closes with data unread is faulty",
        ),
    ),
    quiet=True,
    rounds=3,
)
def unread(lab: Lab) -> None:
    unreading = victims(lab, "unreading", read(False), send(size=1000, times=5), end=[close()])
    lab.prove(
        "the reply lies unread in the client's socket",
        all(unreading.has_unread(k) for k in range(unreading.count)),
    )
    leave(lab, unreading)


@scenario(
    "disconnect.simultaneous",
    title="Half of many clients end in one instant, some by FIN, some by RST",
    expects="Those are removed, the other half does not notice.",
    why="One wake-up reports many ends: closing while walking the list skips or mixes up clients.",
    cites=(sources.MANY_READY,),
    quiet=True,
    rounds=3,
    cases={"40": 40, "400": 400},
    connections=lambda case: int(case),
)
def simultaneous(lab: Lab) -> None:
    quarter = lab.case // 4
    stay = lab.play(
        "staying",
        connect(),
        ask("first"),
        wait("go", mark="ready"),
        ask("last", within_s=10),
        close(),
        count=2 * quarter,
        log=False,
    )
    ends = [
        lab.play(
            name,
            connect(),
            ask("once"),
            wait("go", mark="ready"),
            end,
            count=quarter,
            must="nothing",
            log=False,
        )
        for name, end in (("closing", close()), ("resetting", reset()))
    ]
    for group in (stay, *ends):
        group.reached("ready", within_s=15)
    lab.trigger(*ends)
    for group in ends:
        group.go()
    lab.expect_removed(*ends)
    stay.go()
    stay.ended(within_s=20)


@scenario(
    "disconnect.killed",
    title="The client's process is killed",
    expects="Removed at once: its kernel closes for it.",
    why="A crash of a client is an orderly FIN, or a reset where it had not read everything.",
    cites=(sources.CLOSE_WAIT, sources.UNREAD_RESET, sources.SIGKILL),
    quiet=True,
    faults=(KillClient,),
)
def killed(lab: Lab) -> None:
    killed = victims(lab, "killed", ask("alive"), end=[], client="doomed")
    peers = killed.peers()
    lab.trigger(killed)
    inodes = lab.inodes_of_group(killed)
    lab.inject(KillClient("doomed"))
    lab.expect_gone(peers, inodes)


@scenario(
    "disconnect.readable-and-reset",
    title="Data and a reset arrive together, before the server looks",
    expects="Removed once; no descriptor of another client is closed.",
    why="Handled twice in one wake-up, the second close hits a number that is another's by now.",
    cites=(sources.EPOLLERR, sources.NUMBER_AGAIN),
    quiet=True,
    rounds=3,
    faults=(StopSubject,),
)
def readable_and_reset(lab: Lab) -> None:
    end = [send("last words"), wait("end", mark="said"), reset()]
    abrupt = victims(lab, "abrupt", ask("once"), end=end)
    lab.trigger(abrupt)
    stopped = lab.inject(StopSubject())
    abrupt.go()
    abrupt.reached("said")
    abrupt.prove("data arrived", recv_q_at_least=1)
    abrupt.go("end")
    abrupt.ended()
    lab.prove_by("the reset arrived", {"unlisted": {"port": lab.port, "peers": abrupt.peers()}})
    lab.heal(stopped)
    lab.expect_removed(abrupt)
