"""Sending: in floods, in the background, in short segments, and the end behind the last byte."""

from __future__ import annotations

import socket
from typing import Any

from tests.client import servers
from tests.client.playing import play_one
from tests.client.servers import serving

CONNECT = {"do": "connect"}
EXPECT = {"do": "expect"}
HALF_CLOSE = {"do": "half-close"}
END = {"do": "expect", "eof": True}


def ask(text: str = "hello", **fields: Any) -> dict[str, Any]:
    return {"do": "ask", "text": text, **fields}


def test_flood_stalls_at_a_peer_that_never_reads() -> None:
    flood = {"do": "flood", "total": 1 << 30, "size": 1000, "stalled_after_s": 0.1}
    with serving(servers.never_reads) as target:
        report = play_one(target, CONNECT, flood)
    assert report["flooded"] == "stalled"
    assert 0 < report["sent"] < 1 << 30


def test_what_is_sent_in_the_background_keeps_no_step_waiting() -> None:
    long = {"do": "send", "size": 1 << 24, "unanswered": True, "background": True}
    with serving(servers.never_reads) as target:
        report = play_one(target, CONNECT, long, {"do": "idle", "for_s": 0.05})
    assert report["outcome"] == "ok"
    assert 0 < report["sent"] < 1 << 24


def test_what_is_sent_in_the_background_goes_on_beside_the_next_steps() -> None:
    long = {"do": "send", "size": 1 << 22, "background": True}
    with serving(servers.echo) as target:
        report = play_one(target, CONNECT, {"do": "read", "on": False}, long, EXPECT)
    assert (report["outcome"], report["replies"]) == ("ok", 1)


def test_segments_are_as_short_as_asked_for() -> None:
    seen: list[int] = []

    def tells(connection: socket.socket) -> None:
        seen.append(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG))
        servers.echo(connection)

    with serving(tells) as target:
        report = play_one(target, {**CONNECT, "max_segment": 600}, ask())
    assert report["outcome"] == "ok"
    assert 0 < seen[0] <= 600


def test_flood_is_sent_and_compared_afterwards() -> None:
    flood = {"do": "flood", "total": 300_000, "size": 999}
    with serving(servers.echo) as target:
        report = play_one(target, CONNECT, flood, EXPECT, ask())
    assert report["flooded"] == "sent"
    assert (report["outcome"], report["replies"]) == ("ok", 301)


def test_a_stalled_flood_ends_with_a_whole_message() -> None:
    flood = {"do": "flood", "total": 1 << 30, "size": 70_000, "stalled_after_s": 0.1}
    with serving(servers.echo) as target:  # which blocks in its own sending until it is read
        report = play_one(target, CONNECT, flood, EXPECT, ask())
    assert report["flooded"] == "stalled"
    assert report["outcome"] == "ok", report["failure"]
    assert report["sent"] == report["received"]


def test_a_half_close_follows_the_last_byte() -> None:
    flood = {"do": "flood", "total": 1 << 30, "size": 70_000, "stalled_after_s": 0.1}
    with serving(servers.echo) as target:
        report = play_one(target, CONNECT, flood, HALF_CLOSE, END)
    assert report["flooded"] == "stalled"
    assert report["outcome"] == "ok", report["failure"]
    assert report["sent"] == report["received"]
