"""The agent keeps the contract of docs/protocol.md."""

from __future__ import annotations

import os
import resource
import signal
import socket
from collections.abc import Iterator
from threading import Semaphore
from typing import Any

import pytest

from iolab.client.group import latencies_kept
from iolab.client.latencies import Latencies
from tests.client import servers
from tests.client.playing import DEADLINE_S, Agent
from tests.client.servers import Address, echoing_thousands, serving
from tests.waiting import wait_until

ASK = {"do": "ask", "text": "hello"}
HANG = {"do": "hang"}

# What comes in milliseconds on an idle machine; below the time for which an answer is waited for.
WITHIN_S = DEADLINE_S / 2


def script(*steps: dict[str, Any]) -> dict[str, Any]:
    return {"step": [{"do": "connect"}, *steps]}


@pytest.fixture
def agent() -> Iterator[Agent]:
    agent = Agent()
    yield agent
    assert agent.close() == 0


@pytest.fixture(scope="module")
def echo() -> Iterator[Address]:
    with echoing_thousands() as target:
        yield target


def test_ready_comes_first(agent: Agent) -> None:
    ready = agent.ready
    assert (ready["event"], ready["pid"]) == ("ready", agent.process.pid)
    assert ready["nofile"] == resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    assert ready["t"] > 0


def test_events_and_report(agent: Agent, echo: Address) -> None:
    steps = {**ASK, "mark": "asks"}, {"do": "close"}
    assert agent.ask("play", group="g", script=script(*steps), target=echo)["count"] == 1
    assert agent.ask("await", group="g", mark="ended", within_s=WITHIN_S)["reached"] == 1
    connected, mark, ended = agent.events
    assert (connected["event"], connected["peer"]) == ("connected", list(echo))
    assert (mark["event"], mark["connection"], mark["mark"]) == ("mark", "g#0", "asks")
    [report] = agent.ask("report", group="g")["connections"]
    assert {"event": "ended", "t": ended["t"], **report} == ended
    assert set(report) == {
        *("connection", "local", "peer", "step", "outcome", "failure", "sent", "received"),
        *("messages", "replies", "opened", "closed", "eof", "reset", "silent", "latencies"),
        *("unanswered", "flooded", "said"),
    }
    assert report["step"] == {"index": "3", "doing": "closing"}
    assert (report["outcome"], report["failure"], report["local"]) == (
        "ok",
        None,
        connected["local"],
    )
    assert connected["t"] >= report["opened"]
    assert report["closed"] >= report["opened"]


def test_thousands_go_in_one_instant(agent: Agent, echo: Address) -> None:
    steps = {"do": "wait", "go": "now", "mark": "ready"}, {"do": "ask", "size": 100}, HANG
    agent.ask("play", group="g", script=script(*steps), target=echo, count=2000, log=False)
    agent.ask("await", group="g", mark="ready", within_s=WITHIN_S)
    assert agent.ask("go", signal="now")["released"] == 2000
    agent.ask("await", group="g", mark="connected", within_s=WITHIN_S)
    assert agent.ask("pause", group="g", within_s=WITHIN_S)["reached"] == 2000
    assert agent.ask("drop", group="g")["dropped"] == 2000
    reports = agent.ask("report", group="g")["connections"]
    assert [report["connection"] for report in reports] == [f"g#{k}" for k in range(2000)]
    assert {report["outcome"] for report in reports} == {"ok"}
    first = [report["latencies"][0] for report in reports]
    # The last has spoken before the first is heard.
    assert max(asked for asked, _ in first) < min(asked + took for asked, took in first)
    assert all(event["event"] == "late" for event in agent.events)


def test_go_before_the_wait_counts(agent: Agent, echo: Address) -> None:
    steps = {"do": "wait", "go": "a"}, {"do": "wait", "go": "b", "mark": "at b"}
    agent.ask("play", group="g", script=script(*steps), target=echo)
    agent.ask("play", group="other", script=script(*steps), target=echo)
    assert agent.ask("go", signal="b", group="g")["released"] == 0
    agent.ask("go", signal="a")
    agent.ask("await", group="g", mark="ended", within_s=WITHIN_S)
    agent.ask("await", group="other", mark="at b", within_s=WITHIN_S)
    assert agent.ask("go", signal="b")["released"] == 1


def test_some_go_before_the_others(agent: Agent, echo: Address) -> None:
    steps = {"do": "wait", "go": "now", "mark": "ready"}, ASK
    agent.ask("play", group="g", script=script(*steps), target=echo, count=3)
    agent.ask("await", group="g", mark="ready", within_s=5)
    assert agent.ask("go", signal="now", group="g", count=1)["released"] == 1
    agent.ask("await", group="g", mark="ended", count=1, within_s=5)
    assert agent.ask("go", signal="now", group="g", count=9)["released"] == 2
    agent.ask("await", group="g", mark="ended", within_s=5)
    agent.ask("play", group="later", script=script(*steps), target=echo)
    agent.ask("await", group="later", mark="ready", within_s=5)
    assert agent.ask("go", signal="now", group="later")["released"] == 1


def test_await_says_what_it_saw_last(agent: Agent, echo: Address) -> None:
    agent.ask("play", group="g", script=script({**HANG, "mark": "there"}), target=echo, count=2)
    agent.ask("await", group="g", mark="there", within_s=WITHIN_S)
    answer = agent.answer(agent.post("await", group="g", mark="ended", within_s=0.1))
    assert (answer["ok"], answer["timeout"], answer["reached"]) == (False, True, 0)
    assert "0 of 2 in time; g#0 at step 2 (holding the connection): running" in answer["error"]


def test_ending_early_is_no_timeout(agent: Agent) -> None:
    with serving(servers.answers_half_and_ends) as target:
        steps = ASK, {**HANG, "mark": "there"}
        agent.ask("play", group="g", script=script(*steps), target=target)
        answer = agent.answer(agent.post("await", group="g", mark="there", within_s=60))
    assert "timeout" not in answer
    assert "0 of 1 and no more can; g#0 at step 2" in answer["error"]
    assert ": eof, the peer ended" in answer["error"]


def test_each_connection_counts_once(agent: Agent) -> None:
    servings = iter([servers.echo, servers.never_answers])

    def echo_to_the_first(connection: socket.socket) -> None:
        next(servings)(connection)

    repeat = {"do": "repeat", "steps": [ASK, {"do": "idle", "for_s": 0, "mark": "answered"}]}
    with serving(echo_to_the_first) as target:
        agent.ask("play", group="g", script=script(repeat), target=target, count=2, log=False)
        wait_until(
            "several answers to the same one",
            lambda: [one["replies"] for one in agent.ask("report", group="g")["connections"]],
            holds=lambda replies: max(replies) > 2,
        )
        answer = agent.answer(agent.post("await", group="g", mark="answered", within_s=0))
        assert (answer["reached"], answer["timeout"]) == (1, True)
        agent.ask("drop", group="g")


def test_an_ask_that_waits_is_told(agent: Agent) -> None:
    with serving(servers.never_answers) as target:
        steps = {**ASK, "tell_after_s": 0.05, "within_s": 60}
        agent.ask("play", group="g", script=script(steps), target=target)
        connected, waiting = agent.event(), agent.event()
        [report] = agent.ask("report", group="g")["connections"]
        agent.ask("drop", group="g")
    assert (connected["event"], waiting["event"]) == ("connected", "waiting")
    assert waiting["since"] == pytest.approx(report["unanswered"], abs=1e-5)
    assert waiting["t"] - waiting["since"] >= 0.05


def test_pause_resume_finish(agent: Agent, echo: Address) -> None:
    repeat = {"do": "repeat", "every_s": 0.001, "steps": [ASK]}
    agent.ask("play", group="g", script=script(repeat), target=echo, count=20, log=False)
    agent.ask("await", group="g", mark="connected", within_s=WITHIN_S)
    assert agent.ask("pause", group="g", within_s=WITHIN_S)["reached"] == 20
    before = agent.ask("report", group="g")["connections"]
    after = agent.ask("report", group="g")["connections"]
    assert before == after
    assert before[0]["silent"][0][1] is None
    agent.ask("resume", group="g")
    assert agent.ask("finish", group="g", within_s=WITHIN_S)["reached"] == 20
    [report, *_] = agent.ask("report", group="g")["connections"]
    [[rested_from, rested_to]] = report["silent"]
    assert rested_to > rested_from
    assert report["outcome"] == "ok"


def test_a_wait_for_go_is_a_rest(agent: Agent, echo: Address) -> None:
    steps = script({"do": "wait", "go": "on", "mark": "waits"}, ASK)
    agent.ask("play", group="g", script=steps, target=echo, log=False)
    agent.ask("await", group="g", mark="waits", within_s=WITHIN_S)
    [report] = agent.ask("report", group="g")["connections"]
    [[_, over]] = report["silent"]
    assert over is None
    agent.ask("go", group="g", signal="on")
    agent.ask("await", group="g", mark="ended", within_s=WITHIN_S)
    [report] = agent.ask("report", group="g")["connections"]
    [[since, over]] = report["silent"]
    assert since < over


def test_pause_cannot_rest_a_stuck_one(agent: Agent) -> None:
    with serving(servers.never_answers) as target:
        repeat = {"do": "repeat", "steps": [{**ASK, "within_s": 60}]}
        agent.ask("play", group="g", script=script(repeat), target=target)
        agent.ask("await", group="g", mark="connected", within_s=WITHIN_S)
        answer = agent.answer(agent.post("pause", group="g", within_s=0.1))
        agent.ask("drop", group="g")
    assert answer["timeout"]
    [report] = agent.ask("report", group="g")["connections"]
    assert report["outcome"] == "dropped"


def test_info(agent: Agent) -> None:
    with serving(servers.never_reads) as target:
        flood = {"do": "flood", "total": 1 << 30, "stalled_after_s": 0.1}
        steps = flood, {**HANG, "mark": "stalled"}
        agent.ask("play", group="g", script=script(*steps), target=target)
        agent.ask("await", group="g", mark="stalled", within_s=WITHIN_S)
        info = agent.ask("info", connection="g#0")
        agent.ask("drop", group="g")
        assert info["state"] == "ESTABLISHED"
        assert info["unsent"] > 0
        assert info["unread"] == 0
        assert info["rto_s"] > 0
        assert {"unacked", "retransmits", "snd_wnd"} <= set(info)
        assert "has no socket now" in agent.refuse("info", connection="g#0")


def test_refusals_name_the_field(agent: Agent, echo: Address) -> None:
    good: dict[str, Any] = {"group": "g", "script": script(HANG), "target": echo}
    refusals: list[tuple[str, dict[str, Any], str]] = [
        ("fly", {}, "`op` cannot be 'fly'; allowed: play, go, await"),
        ("play", {**good, "target": ["host", 1]}, 'play: `target` must be an address as ["10.0'),
        ("play", {**good, "count": 0}, "play: `count` must be a whole number, 1 or more, not 0"),
        ("play", {**good, "reply": "echo"}, "play: `reply` is no field of it; allowed: group, "),
        ("play", {**good, "colour": 1}, "play: `colour` is no field of it; allowed: group, script"),
        (
            "play",
            {**good, "script": {"step": [{"do": "x"}]}},
            "play: `script`: step 1: `do` cannot",
        ),
        ("play", {"group": "g"}, "play: `script` is missing"),
        ("report", {"group": "x"}, "report: `group` 'x' is not known; there are: none"),
        ("info", {"connection": "x#0"}, "info: `connection` 'x' is not known"),
    ]
    for op, fields, error in refusals:
        assert error in agent.refuse(op, **fields)
    agent.ask("play", **good)
    assert "`connection` must be g#0 to g#0" in agent.refuse("info", connection="g#1")
    assert "`group` 'g' is still playing" in agent.refuse("play", **good)
    assert "`count` must be at most 1" in agent.refuse(
        "await", group="g", mark="connected", count=2, within_s=1
    )


@pytest.mark.parametrize(
    ("line", "number", "error"),
    [
        (b"nonsense", None, "the line is no JSON"),
        (b"[]", None, "the line must be an object"),
        (b'{"op": "report"}', None, "`id` must be an integer"),
        (b'{"id": 7}', 7, "`op` must be a text"),
        (b"\xff", None, "the line is no JSON"),
    ],
)
def test_malformed_lines_are_answered(
    agent: Agent, line: bytes, number: int | None, error: str
) -> None:
    agent.write(line)
    assert error in agent.answer(number)["error"]
    assert agent.ask("report")["connections"] == []


def test_a_reader_that_stops_holds_up_nobody(agent: Agent) -> None:
    ended = Semaphore(0)

    def echo_and_tell(connection: socket.socket) -> None:
        servers.echo(connection)
        ended.release()

    rounds = {"do": "repeat", "times": 500, "steps": [{**ASK, "mark": "m"}]}
    with serving(echo_and_tell) as target:
        agent.post("play", group="loud", script=script(rounds), target=target, count=10)
        # Nobody reads what it tells, far more than a pipe holds, and yet it plays to the end.
        for _ in range(10):
            assert ended.acquire(timeout=DEADLINE_S)
    agent.ask("await", group="loud", mark="ended", within_s=WITHIN_S)
    marks = [event for event in agent.events if event.get("event") == "mark"]
    assert len(marks) == 5000


def test_the_end_of_input_ends_it_all() -> None:
    agent = Agent()
    ended = Semaphore(0)

    def echo_and_tell(connection: socket.socket) -> None:
        servers.echo(connection)
        ended.release()

    with serving(echo_and_tell) as target:
        agent.ask("play", group="g", script=script(HANG), target=target, count=3)
        agent.ask("await", group="g", mark="connected", within_s=WITHIN_S)
        assert agent.close() == 0
        for _ in range(3):
            assert ended.acquire(timeout=DEADLINE_S)


def test_lateness_is_owned_up_to(agent: Agent) -> None:
    agent.ask("report")  # its loop runs
    os.kill(agent.process.pid, signal.SIGSTOP)
    _, status = os.waitpid(agent.process.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    number = agent.post("report")
    assert agent.is_silent_for(0.2)
    os.kill(agent.process.pid, signal.SIGCONT)
    answer = agent.answer(number)
    late = [event for event in agent.events if event["event"] == "late"]
    late += [] if late else [agent.event()]
    worst = max(late[0]["late_s"], answer["late_s"])
    assert late[0]["event"] == "late"
    assert worst >= 0.1


def test_the_last_latencies_are_kept() -> None:
    latencies = Latencies(3)
    assert (latencies.last, latencies.pairs()) == (None, [])
    for number in range(20):
        latencies.add(number, number / 4)
        first = max(0, number - 2)
        assert latencies.pairs() == [[k, k / 4] for k in range(first, number + 1)]
    assert latencies.last == 4.75


def test_latencies_are_kept_within_a_line() -> None:
    assert latencies_kept(1) == latencies_kept(20) == 10_000
    assert latencies_kept(19_000) == 10
