"""Every kind of failure is seen, and only where it is one."""

from __future__ import annotations

import errno
import socket
from threading import Event
from typing import Any

import pytest

from iolab.client.group import Group, Outcome
from iolab.client.loop import Loop
from tests.client import servers
from tests.client.playing import DEADLINE_S, after, play, play_one
from tests.client.servers import Serve, serving
from tests.ipv6 import needs_ipv6

IP_BIND_ADDRESS_NO_PORT = 24  # in the socket module from Python 3.12 on

CONNECT = {"do": "connect"}
EXPECT = {"do": "expect"}
HALF_CLOSE = {"do": "half-close"}
HANG = {"do": "hang"}
END = {"do": "expect", "eof": True}


def ask(text: str = "hello", **fields: Any) -> dict[str, Any]:
    return {"do": "ask", "text": text, **fields}


def send(text: str = "hello", **fields: Any) -> dict[str, Any]:
    return {"do": "send", "text": text, **fields}


@pytest.mark.parametrize(
    ("serve", "steps", "kind", "number"),
    [
        (servers.drops_a_byte, [ask()], "mismatch", None),
        (servers.swaps_two_replies, [send("one"), send("two"), EXPECT], "mismatch", None),
        (servers.doubles_replies, [ask("a"), ask("b")], "surplus", None),
        (servers.doubles_replies, [ask("a"), {"do": "close"}], "surplus", None),
        (servers.doubles_replies, [ask("a"), {"do": "idle", "for_s": 0.05}], "surplus", None),
        (servers.never_answers, [ask(within_s=0.05)], "late", None),
        (servers.never_answers, [send(), {**EXPECT, "within_s": 0.05}], "late", None),
        (servers.never_answers, [send(), HALF_CLOSE, EXPECT], "eof", None),
        (servers.answers_half_and_ends, [ask()], "eof", None),
        (servers.answers_and_ends, [ask(), {"do": "idle", "for_s": 0.1}, ask()], "eof", None),
        (servers.answers_and_ends, [ask(), {"do": "expect", "reset": True}], "eof", None),
        (servers.echo, [ask(), {**END, "within_s": 0.05}], "unended", None),
        (servers.echo, [send(), {"do": "expect", "nothing_s": 1}], "surplus", None),
        (servers.resets, [ask()], "reset", errno.ECONNRESET),
        (servers.resets, [send(), END], "reset", errno.ECONNRESET),
        (servers.resets, [send(), {"do": "idle", "for_s": 0.1}, ask()], "reset", errno.ECONNRESET),
        (servers.refuses_in_words, [{"do": "ask", "size": 20}], "mismatch", None),
        (servers.refuses_in_words, [send(unanswered=True), END], "surplus", None),
        (servers.never_reads, [ask("x" * 9_000_000, within_s=0.1)], "late", None),
    ],
)
def test_failures(serve: Serve, steps: list[dict[str, Any]], kind: str, number: int | None) -> None:
    with serving(serve) as target:
        report = play_one(target, CONNECT, *steps)
    assert report["outcome"] == "failed"
    assert report["failure"]["kind"] == kind, report["failure"]
    assert report["failure"]["errno"] == number
    assert "\n" not in report["failure"]["detail"]


def test_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        target = listener.getsockname()
    failure = play_one(target, CONNECT, ask())["failure"]
    assert (failure["kind"], failure["step"], failure["errno"]) == (
        "refused",
        "1",
        errno.ECONNREFUSED,
    )


def test_connect_is_late_where_nobody_accepts() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        target = listener.getsockname()
        with socket.create_connection(target):  # fills the backlog of one
            reports = play(target, {**CONNECT, "within_s": 0.1}, ask(within_s=0.1), count=3)
    assert {report["failure"]["kind"] for report in reports} == {"late"}
    assert {report["failure"]["step"] for report in reports} >= {"1"}


def test_other_errors_are_told_by_errno() -> None:
    report = play_one(("127.0.0.1", 1), CONNECT, bind=("192.0.2.1", 0))
    assert report["failure"]["kind"] == "os"
    assert report["failure"]["errno"] == errno.EADDRNOTAVAIL


def test_unreachable() -> None:
    failure = play_one(("ff02::1", 9), CONNECT)["failure"]
    assert failure["kind"] == "unreachable"
    assert failure["errno"] == errno.ENETUNREACH


def test_mismatch_tells_where_and_what() -> None:
    with serving(servers.drops_a_byte) as target:
        failure = play_one(target, CONNECT, ask("0123456789"))["failure"]
    assert (failure["kind"], failure["at"], failure["step"]) == ("mismatch", 5, "2")
    assert failure["expected"] == "0123456789\\n"
    assert failure["got"] == "012346789\\n"


def test_surplus_is_told_before_anything_else_is_asked() -> None:
    with serving(servers.doubles_replies) as target:
        report = play_one(target, CONNECT, ask("a"), {"do": "idle", "for_s": 0.05}, ask("b"))
    assert (report["failure"]["step"], report["failure"]["got"]) == ("4", "a\\n")
    assert report["messages"] == 1


def test_what_was_said_before_a_reset_is_heard() -> None:
    gone = Event()

    def refuses_and_resets(connection: socket.socket) -> None:
        next(servers.lines(connection))
        connection.sendall(b"no more\n")
        servers.reset(connection)
        gone.set()

    def go_late(group: Group, loop: Loop) -> None:
        # The loop is held up, so that the send meets the reset before the read does.
        def hold_up(_: Outcome) -> None:
            loop.soon(lambda: gone.wait(DEADLINE_S) and group.go("now"))

        group.watch("at rest", None, DEADLINE_S, "waits", hold_up)

    steps = send(unanswered=True), {"do": "wait", "go": "now"}, send(unanswered=True)
    with serving(refuses_and_resets) as target:
        report = play_one(target, CONNECT, *steps, act=go_late)
    assert (report["failure"]["kind"], report["failure"]["step"]) == ("reset", "4")
    assert report["said"] == "no more\\n"


def test_a_fast_peer_is_read_and_written_in_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("client.connection._CHUNKS", 1)
    with serving(servers.echo) as target:
        report = play_one(target, CONNECT, {"do": "ask", "size": 1_000_000, "times": 3})
    assert report["outcome"] == "ok", report["failure"]


def test_late_tells_what_is_missing() -> None:
    with serving(servers.never_answers) as target:
        report = play_one(target, CONNECT, ask("abc", within_s=0.05))
    assert "0 of 4 bytes" in report["failure"]["detail"]
    assert report["unanswered"] is not None


@pytest.mark.parametrize(
    ("serve", "steps"),
    [
        (servers.echo, [ask(), ask(""), ask("ü" * 99), ask(times=3)]),
        (servers.echo, [send(times=1000), {"do": "expect", "replies": 400}, EXPECT]),
        (servers.echo, [send("abc"), {"do": "expect", "bytes": 2}, {"do": "expect", "bytes": 2}]),
        (servers.echo, [send("half", newline=False), ask(" a line")]),
        (servers.echo, [send("half", newline=False, unanswered=True), HALF_CLOSE, END]),
        (servers.echo, [send(), HALF_CLOSE, END]),
        (servers.echo, [ask(piece=1), ask(piece=2, pause_s=0.001), ask(rate=2000)]),
        (servers.echo, [{"do": "ask", "size": size} for size in (0, 1, 30, 4096, 300_000)]),
        (servers.echo, [{"do": "ask", "hex": bytes(set(range(256)) - {10}).hex()}]),
        (servers.echo, [{"do": "read", "on": False}, send(), ask()]),
        (servers.echo, [{"do": "expect", "nothing_s": 0.05}, ask()]),
        (servers.echo, [ask("!hidden", urgent=True), ask()]),
        (servers.echo, [send("!", newline=False, urgent=True, unanswered=True), ask()]),
        (servers.echo, [ask(), {"do": "close"}, CONNECT, ask(), CONNECT, ask()]),
        (servers.echo, [ask(), {"do": "reset"}]),
        (servers.echoes_pieces, [ask("!seen", urgent=True), ask(newline=False)]),
        (servers.echoes_pieces, [send("!", newline=False, urgent=True, unanswered=True), ask()]),
        (servers.answers_and_ends, [ask(), END]),
        (servers.answers_and_ends, [ask(), HANG]),
        (servers.answers_and_half_closes, [ask(), END, {"do": "close"}]),
        (servers.resets, [send(), {"do": "expect", "reset": True}]),
        (servers.resets, [send(), {"do": "expect", "eof": True, "reset": True}]),
        (servers.resets, [send(), HANG]),
        (servers.resets, [send(), {"do": "read", "on": False}, HANG]),
        (servers.refuses_in_words, [send(unanswered=True), {**EXPECT, "text": "too long\n"}, END]),
        (servers.refuses_in_words, [send(unanswered=True), {**EXPECT, "bytes": 9}, END]),
        (servers.refuses_in_words, [send(unanswered=True), {**END, "anything": True}]),
    ],
)
def test_right_servers_pass(serve: Serve, steps: list[dict[str, Any]]) -> None:
    with serving(serve) as target:
        report = play_one(target, CONNECT, *steps)
    assert report["outcome"] == "ok", report["failure"]


def test_upper() -> None:
    with serving(servers.upper) as target:
        steps = ask("straße"), {"do": "ask", "size": 5000}, ask("ŉ ß", times=3)
        report = play_one(target, CONNECT, *steps, reply="upper")
    assert report["outcome"] == "ok", report["failure"]


def test_counts() -> None:
    with serving(servers.echo) as target:
        steps = ask("abc"), CONNECT, {"do": "send", "size": 99, "times": 5}, EXPECT
        report = play_one(target, CONNECT, *steps)
    assert (report["sent"], report["received"]) == (504, 504)
    assert (report["messages"], report["replies"]) == (6, 6)
    [[asked, took]] = report["latencies"]
    assert asked > 0
    assert took > 0


def test_latency_counts_from_the_last_byte() -> None:
    with serving(servers.echo) as target:
        report = play_one(target, CONNECT, ask("0123456789", piece=1, pause_s=0.02))
    [[_, took]] = report["latencies"]
    assert took <= report["closed"] - report["opened"] - 0.19


def test_what_was_said_unasked_is_reported() -> None:
    with serving(servers.refuses_in_words) as target:
        report = play_one(target, CONNECT, send(unanswered=True), {**END, "anything": True})
    assert report["said"] == "too long\\n"
    assert report["eof"] is not None


def test_an_end_in_idle_is_recorded_and_no_failure() -> None:
    with serving(servers.answers_and_ends) as target:
        report = play_one(target, CONNECT, ask(), {"do": "idle", "for_s": 0.1})
    assert report["outcome"] == "ok"
    assert report["eof"] is not None
    assert report["reset"] is None


def test_a_reset_is_recorded_though_nobody_reads() -> None:
    steps = {"do": "read", "on": False}, send(), {"do": "idle", "for_s": 0.1}
    with serving(servers.resets) as target:
        report = play_one(target, CONNECT, *steps)
    assert report["outcome"] == "ok"
    assert report["reset"] is not None


def test_a_reset_behind_the_end_is_recorded() -> None:
    now = Event()

    def ends_and_resets(connection: socket.socket) -> None:
        servers.answers_and_ends(connection)
        connection.shutdown(socket.SHUT_WR)
        assert now.wait(DEADLINE_S)
        servers.reset(connection)

    def reset_soon(group: Group, _loop: Loop) -> None:
        group.watch("past", None, DEADLINE_S, "past", lambda _: now.set())

    steps = ask(), END, {"do": "idle", "for_s": 0.2, "mark": "past"}
    with serving(ends_and_resets) as target:
        report = play_one(target, CONNECT, *steps, act=reset_soon)
    assert report["outcome"] == "ok"
    assert report["eof"] < report["reset"]


def test_a_connection_can_be_held_past_the_end() -> None:
    ended: list[bool] = []

    def look(group: Group, loop: Loop) -> None:
        def drop() -> None:
            connection = group.players[0].connection
            assert connection is not None
            ended.append(connection.eof_at is not None and connection.sock is not None)
            group.drop()

        after(loop, 0.2, drop)

    with serving(servers.answers_and_half_closes) as target:
        report = play_one(target, CONNECT, ask(), {**HANG, "past_end": True}, act=look)
    assert ended == [True]
    assert report["outcome"] == "ok"


def test_slow_reading_takes_its_time() -> None:
    script = {"do": "send", "size": 29_999}, {"do": "expect", "rate": 100_000}
    with serving(servers.echo) as target:
        report = play_one(target, CONNECT, {"do": "read", "on": False}, *script)
    assert report["outcome"] == "ok", report["failure"]
    assert report["closed"] - report["opened"] >= 0.25


def test_repeat_until_finish() -> None:
    repeat = {"do": "repeat", "every_s": 0.01, "steps": [ask()]}

    def finish_soon(group: Group, loop: Loop) -> None:
        after(loop, 0.1, group.finish)

    with serving(servers.echo) as target:
        report = play_one(target, CONNECT, repeat, ask("last"), act=finish_soon)
    assert report["outcome"] == "ok"
    assert 2 <= report["replies"] <= 12


def test_a_round_that_never_waits_holds_up_nobody() -> None:
    def finish_soon(group: Group, loop: Loop) -> None:
        after(loop, 0.05, group.finish)

    spin = {"do": "repeat", "steps": [{"do": "idle", "for_s": 0}]}
    with serving(servers.echo) as target:
        assert play_one(target, CONNECT, spin, act=finish_soon)["outcome"] == "ok"


def test_a_port_can_be_taken_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        bind = free.getsockname()
    with serving(servers.echo) as target:
        report = play_one(target, CONNECT, {"do": "reset"}, CONNECT, ask("again"), bind=bind)
    assert report["outcome"] == "ok", report["failure"]
    assert report["local"] == bind
    with serving(servers.echo) as target:  # the port is still in TIME-WAIT towards the other
        assert play_one(target, CONNECT, ask(), bind=bind)["outcome"] == "ok"


def test_binding_to_an_address_alone_takes_no_port() -> None:
    chosen: list[int] = []

    def look(group: Group, _loop: Loop) -> None:
        connection = group.players[0].connection
        assert connection is not None
        assert connection.sock is not None
        chosen.append(connection.sock.getsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT))

    with serving(servers.echo) as target:
        report = play_one(target, CONNECT, ask(), bind=("127.0.0.2", 0), act=look)
    assert (report["local"][0], chosen) == ("127.0.0.2", [1])


def test_urgent_data_is_urgent() -> None:
    with serving(servers.echo) as target:  # which does not read it in line
        report = play_one(target, CONNECT, ask("!hidden", urgent=True))
    assert (report["sent"], report["received"]) == (8, 7)


@needs_ipv6
def test_ipv6() -> None:
    with serving(servers.echo, "::1") as target:
        report = play_one(target, CONNECT, ask(), bind=("::1", 0))
    assert report["outcome"] == "ok", report["failure"]
    assert report["local"][0] == "::1"


def test_go_lets_all_go_in_one_instant() -> None:
    def go_when_all_wait(group: Group, _loop: Loop) -> None:
        def go(_outcome: Outcome) -> None:
            group.go("now")

        group.watch("ready", None, DEADLINE_S, "at the start", go)

    with serving(servers.echo) as target:
        steps = CONNECT, {"do": "wait", "go": "now", "mark": "ready"}, ask()
        reports = play(target, *steps, count=50, act=go_when_all_wait)
    first = [report["latencies"][0] for report in reports]
    # The last has spoken before the first is heard.
    assert max(asked for asked, _ in first) < min(asked + took for asked, took in first)
    assert all(report["outcome"] == "ok" for report in reports)
