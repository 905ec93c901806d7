"""Disconnecting: how a client ends, and at which moment of the connection's life."""

from __future__ import annotations

from harness.clients import Group
from harness.faults.kill_client import KillClient
from harness.faults.stop_subject import StopSubject
from harness.lab import AT_ONCE_S, LEEWAY_S, Lab
from harness.scenario import scenario
from harness.steps import (
    Step,
    ask,
    close,
    connect,
    expect,
    half_close,
    hang,
    reset,
    send,
    wait,
)

VICTIMS = 8

# More than the kernel and a careful server hold of a reply that nobody reads, yet a request that
# the server has read whole: only then does a FIN behind it reach the server.
LONG_REPLY = 192 << 10
SMALL_WINDOW = 4096


def leave(lab: Lab, name: str, before: list[Step], end: list[Step]) -> Group:
    """Victims that did `before`, and do `end` in one instant."""
    victims = lab.play(
        name, connect(), *before, wait("go", mark="ready"), *end, count=VICTIMS, must="nothing"
    )
    victims.reached("ready")
    lab.trigger(victims)
    victims.go()
    victims.ended()
    lab.expect_removed(victims)
    return victims


@scenario(
    "disconnect.fin-idle",
    title="Close between two messages",
    expects="Removed at once.",
    why="A descriptor that is kept after EOF sits in CLOSE-WAIT for ever.",
    cites=("RFC 9293 §3.6 (closing a connection)", "read(2): 0 is end of file"),
    quiet=True,
    rounds=3,
    connections=lambda case: VICTIMS,
)
def test_fin_idle(lab: Lab) -> None:
    leave(lab, "closer", [ask("before I go")], [close()])


@scenario(
    "disconnect.fin-unspoken",
    title="Close without ever having spoken",
    expects="Removed at once.",
    why="Per-client state that the first byte creates does not exist yet.",
    cites=("RFC 9293 §3.6 (closing a connection)",),
    quiet=True,
    rounds=3,
    connections=lambda case: VICTIMS,
)
def test_fin_unspoken(lab: Lab) -> None:
    leave(lab, "mute", [], [close()])


@scenario(
    "disconnect.rst-idle",
    title="Reset between two messages",
    expects="Removed at once.",
    why="The socket leaves the kernel's tables, and only the descriptor tells that it was kept.",
    cites=("RFC 9293 §3.10.7.4 (RST processing)", "read(2): ECONNRESET", "socket(7): SO_LINGER"),
    quiet=True,
    rounds=3,
    connections=lambda case: VICTIMS,
)
def test_rst_idle(lab: Lab) -> None:
    leave(lab, "resetter", [ask("before I go")], [reset()])


@scenario(
    "disconnect.rst-unspoken",
    title="Reset without ever having spoken",
    expects="Removed at once.",
    why="The first read fails before any per-client state exists.",
    cites=("RFC 9293 §3.10.7.4 (RST processing)", "read(2): ECONNRESET"),
    quiet=True,
    rounds=3,
    connections=lambda case: VICTIMS,
)
def test_rst_unspoken(lab: Lab) -> None:
    leave(lab, "mute", [], [reset()])


def leave_mid_message(lab: Lab, name: str, end: Step) -> None:
    part = send("half a message", newline=False, unanswered=True)
    victims = lab.play(
        name, connect(), part, wait("go", mark="ready"), end, count=VICTIMS, must="nothing"
    )
    victims.reached("ready")
    for peer in victims.peers():
        read = {"queue": {"peer": peer, "recv_q_at_most": 0, "bytes_received_at_least": 1}}
        lab.prove_by("mid-message: the server has read the part", read)
    lab.trigger(victims)
    victims.go()
    victims.ended()
    lab.expect_removed(victims)


@scenario(
    "disconnect.fin-mid-message",
    title="Close in the middle of a message",
    expects="Removed; no reply is made up from half a message.",
    why="A buffer with a part in it is no reason to wait for the rest.",
    cites=("RFC 9293 §3.6 (closing a connection)",),
    quiet=True,
    rounds=3,
    connections=lambda case: VICTIMS,
)
def test_fin_mid_message(lab: Lab) -> None:
    leave_mid_message(lab, "closer", close())


@scenario(
    "disconnect.rst-mid-message",
    title="Reset in the middle of a message",
    expects="Removed; no reply is made up from half a message.",
    why="The read that wanted the rest fails; the part before it must not linger.",
    cites=("RFC 9293 §3.10.7.4 (RST processing)", "read(2): ECONNRESET"),
    quiet=True,
    rounds=3,
    connections=lambda case: VICTIMS,
)
def test_rst_mid_message(lab: Lab) -> None:
    leave_mid_message(lab, "resetter", reset())


def unread_reply(lab: Lab, name: str, *end: Step, count: int = 4) -> Group:
    """Clients whose replies are stuck in the server's sockets, because they do not read."""
    victims = lab.play(
        name,
        connect(receive_buffer=SMALL_WINDOW),
        {"do": "read", "on": False},
        send(size=LONG_REPLY),
        wait("go", mark="ready"),
        *end,
        count=count,
        must="nothing",
    )
    victims.reached("ready")
    for peer in victims.peers():
        unsent = {"queue": {"peer": peer, "send_q_at_least": 1}}
        lab.prove_by("mid-reply: unsent bytes in the server's socket", unsent)
    return victims


@scenario(
    "disconnect.fin-mid-reply",
    title="Half-close, then close, while the server writes a long reply",
    expects="EPIPE or ECONNRESET is survived; removed.",
    why="End of input arrives first, and while bytes are unsent the reset follows.",
    cites=("RFC 9293 §3.6 (closing a connection)", "send(2): EPIPE", "RFC 1122 §4.2.2.13"),
    quiet=True,
    rounds=3,
    connections=lambda case: 4,
)
def test_fin_mid_reply(lab: Lab) -> None:
    victims = unread_reply(lab, "closer", half_close(), wait("end", mark="half"), close())
    lab.trigger(victims)
    victims.go()
    victims.reached("half")
    for peer in victims.peers():
        lab.prove_by(
            "mid-reply: the FIN arrived with bytes unsent",
            {"queue": {"peer": peer, "send_q_at_least": 1, "states": ["CLOSE-WAIT", "LAST-ACK"]}},
        )
    victims.go("end")
    victims.ended()
    lab.expect_removed(victims)


@scenario(
    "disconnect.rst-mid-reply",
    title="Reset while the server writes a long reply",
    expects="EPIPE or ECONNRESET is survived; removed.",
    why="The write fails, or the next wait reports an error: both must end the connection.",
    cites=("RFC 9293 §3.10.7.4 (RST processing)", "send(2): ECONNRESET, EPIPE"),
    quiet=True,
    rounds=3,
    connections=lambda case: 4,
)
def test_rst_mid_reply(lab: Lab) -> None:
    victims = unread_reply(lab, "resetter", reset())
    lab.trigger(victims)
    victims.go()
    victims.ended()
    lab.expect_removed(victims)


@scenario(
    "disconnect.unread",
    title="Close with unread data in the client's buffer",
    expects="The reset that follows is survived; removed.",
    why="A close with unread data is answered by the kernel with a reset instead of a FIN.",
    cites=("RFC 1122 §4.2.2.13 (closing with unread data)", "RFC 2525 §2.17"),
    quiet=True,
    rounds=3,
    connections=lambda case: VICTIMS,
)
def test_unread(lab: Lab) -> None:
    victims = lab.play(
        "unreading",
        connect(),
        {"do": "read", "on": False},
        send(size=1000, times=5),
        wait("go", mark="ready"),
        close(),
        count=VICTIMS,
        must="nothing",
    )
    victims.reached("ready")
    lab.prove(
        "the reply lies unread in the client's socket",
        all(victims.has_unread(k) for k in range(VICTIMS)),
    )
    lab.trigger(victims)
    victims.go()
    victims.ended()
    lab.expect_removed(victims)


@scenario(
    "disconnect.simultaneous",
    title="Half of many clients end in one instant, some by FIN, some by RST",
    expects="Those are removed, the other half does not notice.",
    why="One wake-up reports many ends: closing while walking the list skips or mixes up clients.",
    cites=("select(2), poll(2), epoll_wait(2): several descriptors in one call",),
    quiet=True,
    rounds=3,
    cases={"40": 40, "400": 400},
    connections=lambda case: int(case),
)
def test_simultaneous(lab: Lab) -> None:
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
    cites=("RFC 9293 §3.6 (closing a connection)", "signal(7): SIGKILL"),
    quiet=True,
    connections=lambda case: VICTIMS,
)
def test_killed(lab: Lab) -> None:
    victims = lab.play(
        "killed",
        connect(),
        ask("alive"),
        hang(mark="ready"),
        count=VICTIMS,
        must="nothing",
        client="doomed",
    )
    victims.reached("ready")
    peers = victims.peers()
    lab.trigger(victims)
    inodes = lab.inodes_of_group(victims)
    lab.inject(KillClient("doomed"))
    lab.expect_gone(peers, inodes)


@scenario(
    "disconnect.server-first",
    title="The server ends it, and the peer keeps its own side open for ever",
    expects="The descriptor is gone; the peer is told by an orderly end.",
    why="Waiting for the peer's FIN after one's own gives every silent peer a descriptor for ever.",
    cites=("RFC 9293 §3.6 (half-closed peers)", "tcp(7): tcp_fin_timeout"),
    quiet=True,
    promises=("idle_timeout_s",),
    connections=lambda case: VICTIMS,
)
def test_server_first(lab: Lab) -> None:
    promise = lab.promises.idle_timeout_s or 0.0
    stubborn = lab.play(
        "stubborn",
        connect(),
        ask("one word"),
        expect(eof=True, within_s=promise + 2 * LEEWAY_S, mark="ready"),
        hang(past_end=True),
        count=VICTIMS,
        must="nothing",
    )
    stubborn.reached("ready")
    lab.trigger(stubborn)
    lab.expect_removed(stubborn, within_s=promise + LEEWAY_S, promise=f"idle timeout {promise:g} s")


@scenario(
    "disconnect.server-first-oversize",
    title="The server ends it for a message that is too long, with a reply and its input unread",
    expects="The owed reply arrives whole and is not lost to a reset; the descriptor is gone.",
    why="close with unread input is a reset, and a reset takes away what was not sent yet.",
    cites=("RFC 1122 §4.2.2.13", "RFC 9112 §9.6 (closing in stages, as HTTP does)"),
    quiet=True,
    promises=("max_message",),
    connections=lambda case: 4,
)
def test_server_first_oversize(lab: Lab) -> None:
    largest = lab.promises.max_message or 0
    size = min(largest, LONG_REPLY)
    told = lab.play(
        "told-off",
        connect(receive_buffer=SMALL_WINDOW),
        {"do": "read", "on": False},
        send(size=size),
        wait("go", mark="ready"),
        send(size=largest + (64 << 10), unanswered=True),
        wait("read", mark="said"),
        expect(bytes=size + 1, within_s=10),
        expect(anything=True, eof=True, reset=True, within_s=10),
        hang(past_end=True),
        count=4,
        must="ended",
        owed=1,
    )
    told.reached("ready", within_s=10)
    lab.trigger(told)
    told.go()
    told.reached("said", within_s=5)
    told.go("read")
    lab.expect_removed(told, within_s=2 * LEEWAY_S + AT_ONCE_S, promise="soon after its last word")


@scenario(
    "disconnect.readable-and-reset",
    title="Data and a reset arrive together, before the server looks",
    expects="Removed once; no descriptor of another client is closed.",
    why="Handled twice in one wake-up, the second close hits a number that is another's by now.",
    cites=("epoll(7): EPOLLIN with EPOLLERR and EPOLLHUP", "close(2): reuse of descriptors"),
    quiet=True,
    rounds=3,
    connections=lambda case: VICTIMS,
)
def test_readable_and_reset(lab: Lab) -> None:
    victims = lab.play(
        "abrupt",
        connect(),
        ask("once"),
        wait("go", mark="ready"),
        send("last words"),
        wait("end", mark="said"),
        reset(),
        count=VICTIMS,
        must="nothing",
    )
    victims.reached("ready")
    lab.trigger(victims)
    stopped = lab.inject(StopSubject())
    victims.go()
    victims.reached("said")
    for peer in victims.peers():
        lab.prove_by("data arrived", {"queue": {"peer": peer, "recv_q_at_least": 1}})
    victims.go("end")
    victims.ended()
    lab.prove_by("the reset arrived", {"unlisted": {"port": lab.port, "peers": victims.peers()}})
    lab.heal(stopped)
    lab.expect_removed(victims)
