"""Clients that will be done away with: first they come to where it shall happen."""

from __future__ import annotations

from typing import Any

from iolab.harness.lab.clients import Group
from iolab.harness.lab.lab import Lab
from iolab.harness.lab.steps import Step, connect, read, send, wait

VICTIMS = 8

# A client that takes little at a time: a small receive buffer, and short segments, two of which
# fit into its window. A sending kernel makes its buffer as large as ten segments ask for: it takes
# 42 KiB of a reply that nobody reads, on loopback too, where it would take 3 MB otherwise.
NARROW = {"receive_buffer": 2304, "max_segment": 1448}

# One reply that is longer than any kernel takes from such a client's server.
LONGER = 56 << 10

# What is asked for in one message, and in several by who promises none so long: what is not read of
# those while the first replies are stuck must fit into the kernel's receive buffer, with the FIN.
# More is asked for where the kernel took it all, as of a subject that has made its buffers large.
LONG_REPLIES = (192 << 10, 2 << 20, 16 << 20)
SHORT_REPLIES = (64 << 10, 512 << 10)
BORNE = 64 << 20


def victims(
    lab: Lab,
    name: str,
    *before: Step,
    end: list[Step],
    count: int = VICTIMS,
    narrow: bool = False,
    client: str = "actors",
) -> Group:
    """Clients that have done `before`, and do `end` when they are told to go.

    Fewer than `count` where the subject does not promise to serve so many at a time. `narrow`:
    they take little at a time.
    """
    group = lab.play(
        name,
        connect(**(NARROW if narrow else {})),
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
    lab: Lab,
    name: str,
    *,
    end: list[Step],
    count: int = 4,
    client: str = "actors",
    heard_out: bool = False,
) -> Group:
    """Victims that do not read, to whom the server has more to say than its kernel takes.

    What they asked for is read, and at least one byte of the replies is still the server's own.
    `heard_out`: all that they said has arrived, so that the end behind it can arrive.
    """
    group: Group | None = None
    for number, (size, times) in enumerate(requests(lab, lab.several(count))):
        if group is not None:
            group.drop()
        group = victims(
            lab,
            f"{name}-{number}" if number else name,
            read(False),
            send(size=size, times=times, background=True),
            end=end,
            count=count,
            narrow=True,
            client=client,
        )
        said = {"bytes_received_at_least": group.unit * times} if heard_out else {}
        if group.shows(owed_at_least=1, unit=group.unit, **said):
            break
        if not group.shows(within_s=0.0, written_at_least=group.unit * times):
            break  # it is not that the kernel took it all: the proof gets more time
    assert group is not None
    prove_owing(group)
    return group


def requests(lab: Lab, count: int) -> list[tuple[int, int]]:
    """(size of a message, how many of them) that ask for ever more than the kernels hold.

    For `count` clients together no more than a small machine can bear.
    """
    if lab.largest >= LONGER:
        asked = [(min(lab.largest, total), 1) for total in LONG_REPLIES]
        asked += [(lab.largest, total // lab.largest) for total in LONG_REPLIES]
    else:
        asked = [(lab.largest, total // lab.largest) for total in SHORT_REPLIES]
    asked = sorted(
        {(size, times) for size, times in asked if times}, key=lambda one: one[0] * one[1]
    )
    borne = [(size, times) for size, times in asked if size * times * count <= BORNE]
    return borne or asked[:1]


def prove_owing(group: Group, **bounds: Any) -> None:
    """The server has read what it was asked, and some of its replies are still its own.

    What a kernel holds it sends by itself, whatever becomes of the server.
    """
    claim = "mid-reply: the server has more to say than its kernel has taken"
    group.prove(claim, owed_at_least=1, unit=group.unit, **bounds)


def leave(lab: Lab, group: Group) -> None:
    """They go, all in one instant, and the subject must let go of them."""
    lab.trigger(group)
    group.go()
    group.ended()
    lab.expect_removed(group)
