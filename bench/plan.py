"""What is measured: groups of measurements that are compared with one another.

The measurements of a group are made next to each other, in random order, in every round, so that
what the machine does meanwhile meets them all alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from bench.contestants import C_SERVER, CONTESTANTS
from bench.crowd import CROWD
from bench.load.shape import Shape

AGENT = "agent"


@dataclass(frozen=True)
class Entry:
    """One measurement: a contestant under a load, which is made `by` the usual load client, by our
    agent whatever the others have, or by a crowd. Its `name` is unique within the group."""

    name: str
    contestant: str
    shape: Shape
    by: Literal["usual", "agent", "crowd"] = "usual"


@dataclass(frozen=True)
class Group:
    """Measurements that are compared: `name` as in `--only`, `title` as in the reports."""

    name: str
    title: str
    entries: tuple[Entry, ...]


def _alike(name: str, title: str, shape: Shape, *contestants: str) -> Group:
    return Group(name, title, tuple(Entry(who, who, shape) for who in contestants))


_FOUR = ("epoll", "uvloop-protocol", "asyncio-protocol", C_SERVER)
_ALL_BUT_ONE_AT_A_TIME = tuple(name for name in CONTESTANTS if name != "blocking")

GROUPS: Mapping[str, Group] = {
    group.name: group
    for group in (
        _alike("lines-1", "1 client, a line at a time", Shape(1), "blocking", "threaded", *_FOUR),
        _alike("lines-10", "10 clients, a line at a time", Shape(10), *_FOUR),
        _alike("lines-100", "100 clients, a line at a time", Shape(100), *_ALL_BUT_ONE_AT_A_TIME),
        _alike("lines-1000", "1 000 clients, a line at a time", Shape(1000), *_FOUR),
        _alike(
            "batch-16",
            "100 clients, 16 lines in a packet",
            Shape(100, lines=16),
            "epoll",
            "asyncio-streams",
            "uvloop-streams",
        ),
        _alike(
            "active-900",
            "900 clients, a line at a time",
            Shape(900),
            "select",
            "poll",
            "uvloop-protocol",
        ),
        Group(
            "idle-10000",
            "10 active clients, and 10 000 idle",
            (
                Entry("none", "epoll", Shape(10)),
                Entry("epoll", "epoll", Shape(10, idle=10_000)),
            ),
        ),
        Group(
            "idle-900",
            "1 active client, or 10, and 900 idle",
            (
                Entry("poll", "poll", Shape(1, idle=900)),
                Entry("poll-loop", "poll-loop", Shape(1, idle=900)),
                Entry("our poll, 10 active", "poll", Shape(10, idle=900)),
                Entry("plain poll loop, 10 active", "poll-loop", Shape(10, idle=900)),
            ),
        ),
        _alike("churn", "connect, one line, close; 10 at a time", Shape(10, churn=True), *_FOUR),
        Group(
            "agent",
            "100 clients of epoll in C, by each load client",
            (
                Entry("c-client", C_SERVER, Shape(100)),
                Entry(AGENT, C_SERVER, Shape(100), by="agent"),
            ),
        ),
        Group(
            "crowd",
            "50 000 connections from three agents to three servers: connections a second",
            (Entry("epoll", "epoll", Shape(CROWD), by="crowd"),),
        ),
    )
}
