"""Clients that will be done away with: first they come to where it shall happen."""

from __future__ import annotations

from iolab.harness.lab.clients import Group
from iolab.harness.lab.lab import Lab
from iolab.harness.lab.steps import Step, connect, read, send, wait

VICTIMS = 8

# More than the kernel and a careful server hold of a reply that nobody reads, yet a request that
# the server has read whole: only then does a FIN behind it reach the server.
LONG_REPLY = 192 << 10

# The same in several messages, for who promises none so long: what is not read of them while the
# first replies are stuck must fit into the kernel's receive buffer, with the FIN.
LONG_REPLIES = 128 << 10
SMALL_WINDOW = 4096


def victims(
    lab: Lab,
    name: str,
    *before: Step,
    end: list[Step],
    count: int = VICTIMS,
    window: int | None = None,
    client: str = "actors",
) -> Group:
    """Clients that have done `before`, and do `end` when they are told to go.

    Fewer than `count` where the subject does not promise to serve so many at a time. `window` is
    their receive buffer in bytes.
    """
    group = lab.play(
        name,
        connect(**({"receive_buffer": window} if window else {})),
        *before,
        wait("go", mark="ready"),
        *end,
        count=lab.several(count),
        must="nothing",
        client=client,
    )
    group.reached("ready", within_s=15)
    return group


def mid_message(lab: Lab, name: str, *, end: list[Step], client: str = "actors") -> Group:
    """Victims in the middle of sending; the server has read what they sent."""
    part = send("half a message", newline=False, unanswered=True)
    group = victims(lab, name, part, end=end, client=client)
    prove_read(group)
    return group


def prove_read(group: Group, after: int = 0) -> None:
    """The server has taken the half messages, so that it is its own buffer which holds them.

    `after`: so many bytes were sent before them.
    """
    claim = "mid-message: the server has read the part"
    group.prove(claim, recv_q_at_most=0, bytes_received_at_least=after + 1)


def mid_reply(
    lab: Lab, name: str, *, end: list[Step], count: int = 4, client: str = "actors"
) -> Group:
    """Victims whose replies are stuck in the server's sockets, because they do not read."""
    asked = unread_request(lab)
    group = victims(lab, name, *asked, end=end, count=count, window=SMALL_WINDOW, client=client)
    group.prove("mid-reply: unsent bytes in the server's socket", send_q_at_least=1)
    return group


def mid_reply_heard_out(lab: Lab, name: str, *, end: list[Step], count: int = 4) -> Group:
    """The same, and everything that they said has arrived, so that the end behind it can arrive.

    Who does not read while it writes, and has a small receive buffer, never gets all of several
    messages: it is asked for one.
    """
    asked = unread_request(lab)
    group = victims(lab, name, *asked, end=end, count=count, window=SMALL_WINDOW)
    said = sum((step["size"] + 1) * step.get("times", 1) for step in asked if "size" in step)
    if not group.shows(bytes_received_at_least=said):
        group.drop()
        asked = [read(False), send(size=min(lab.largest, LONG_REPLY))]
        group = victims(lab, f"{name}-of-one", *asked, end=end, count=count, window=SMALL_WINDOW)
    group.prove("mid-reply: unsent bytes in the server's socket", send_q_at_least=1)
    return group


def unread_request(lab: Lab) -> list[Step]:
    """Asks for more than the kernels hold of it, and does not read."""
    if lab.largest >= LONG_REPLY:
        return [read(False), send(size=LONG_REPLY)]
    return [read(False), send(size=lab.largest, times=LONG_REPLIES // lab.largest)]


def leave(lab: Lab, group: Group) -> None:
    """They go, all in one instant, and the subject must let go of them."""
    lab.trigger(group)
    group.go()
    group.ended()
    lab.expect_removed(group)
