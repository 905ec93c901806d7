"""The view of recorded runs, at several sizes."""

from __future__ import annotations

import json
import re

import pytest
from rich.cells import cell_len

from iolab.harness.live.panels import connections_note
from iolab.harness.live.process import strip
from iolab.harness.live.state import REMEMBERED_S, State
from tests.live.recording import CLIENTS, fresh, replay, screen

SIZES = [(80, 24), (160, 50), (100, 30), (132, 38), (200, 24), (60, 60), (40, 12), (20, 5), (5, 3)]


def question(state: State, number: int, text: str) -> None:
    event = {"event": "message", "client": number, "size": len(text), "text": text}
    state.log.take(state.now, json.dumps(event))


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("reply", ["echo", "operator"])
@pytest.mark.parametrize("run", ["select", "blocking", "nothing yet"])
def test_it_fits_every_terminal(run: str, reply: str, width: int, height: int) -> None:
    state = fresh(reply=reply) if run == "nothing yet" else replay(run, reply)
    if reply == "operator":
        state.typed = "3 hello " * 20
        state.cursor = len(state.typed)
        for number in range(1, 9):
            question(state, number, "你好 " * 50)
    lines = screen(state, width, height)
    assert len(lines) == height
    assert max(cell_len(line) for line in lines) <= max(width, 20)


@pytest.mark.parametrize(("width", "height"), [(80, 24), (160, 50)])
def test_what_must_be_seen(width: int, height: int) -> None:
    state = replay("select")
    lines = screen(state, width, height)
    text = "\n".join(lines)
    assert lines[0].split()[:2] == ["iolab", "select"]
    assert "asleep in pselect6" in text
    assert "until any of its sockets is ready" in text
    for name in CLIENTS:
        assert f"● {name}" in text
    for words in ("Ctrl-C", "make client", "make lab REPLY=operator"):
        assert words in lines[-1]
    assert "thinking of its next question" in text
    assert "ESTABLISHED" in text
    assert "wake-ups" in text


def test_a_wide_terminal_explains() -> None:
    text = "\n".join(screen(replay("select"), 160, 50))
    assert "what select does while it waits" in text
    assert "the process sleeps in select on all of them" in text
    assert "Asks one short question a second" in text
    assert "more thread asleep in futex" in text


def test_every_connection_is_in_a_wide_one() -> None:
    state = replay("select")
    lines = screen(state, 160, 50)
    for row in state.connections:
        assert row.peer is not None
        address = f"{row.peer[0]}:{row.peer[1]}"
        assert any(address in line and row.state in line for line in lines)


def test_a_blocking_server_serves_one() -> None:
    state = replay("blocking")
    text = "\n".join(screen(state, 160, 50))
    assert "asleep in recvfrom(6)" in text
    assert "until steady #1 speaks" in text
    assert "recvfrom (steady #1)" in text
    note = connections_note(state, 50).plain
    assert note.startswith("1 open · 9 not accepted")
    assert text.count("queue ●") == 9


def test_too_many_connections_are_counted() -> None:
    state = replay("select")
    held = len(state.connections)
    assert f"{held} open, 2 shown" in connections_note(state, 3).plain


def test_the_operator_sees_who_waits() -> None:
    state = replay("select", "operator")
    number = next(row.number for row in state.connections if row.client == "steady")
    assert number is not None
    question(state, number, "how are you?")
    state.now += 4.0
    state.typed, state.cursor = f"{number} fine", 6
    for width, height in ((80, 24), (160, 50)):
        lines = screen(state, width, height)
        waiting = [line for line in lines if "how are you?" in line and line.endswith("4.0 s")]
        assert len(waiting) == 1
        assert f"{number} ● steady" in waiting[0]
        assert lines[-2].strip() == f"answer  ▸ {number} fine"
        assert f"{number} hello answers {number}" in lines[-1]
        assert "Ctrl-C ends" in lines[-1]


def test_the_operator_sees_who_is_there() -> None:
    state = replay("select", "operator")
    listing = [
        {"client": row.number, "peer": "", "state": "OPEN", "waiting": 2}
        for row in state.connections
        if row.number is not None
    ]
    assert listing
    event = {"event": "clients", "t": state.now, "clients": listing}
    state.log.take(state.now, json.dumps(event))
    state.typed = ""
    text = "\n".join(screen(state, 80, 24))
    for row in state.connections:
        if row.number is not None:
            assert re.search(rf"{row.number} ● {row.client} +OPEN +2 messages waiting", text)
    assert "waiting for your answer" not in text
    state.now += 10.0
    assert "waiting for your answer" in "\n".join(screen(state, 80, 24))


def test_the_operator_sees_what_became_of_it() -> None:
    state = replay("select", "operator")
    state.typed = ""
    answered = {"event": "answered", "t": state.now, "client": 2, "text": "fine"}
    state.log.take(state.now, json.dumps(answered))
    assert screen(state, 80, 24)[-1] == " answered ● steady #2: fine"
    mistake = {"event": "operator-mistake", "t": state.now, "text": "there is no client 99"}
    state.log.take(state.now, json.dumps(mistake))
    assert screen(state, 80, 24)[-1] == " there is no client 99"
    state.now += 6.0
    assert "close 3" in screen(state, 80, 24)[-1]
    assert "Ctrl-C" in screen(state, 80, 24)[-1]


def test_of_a_long_line_the_end_is_seen() -> None:
    state = replay("select", "operator")
    state.typed = "3 " + "x" * 200 + " the end"
    state.cursor = len(state.typed)
    assert screen(state, 80, 24)[-2].endswith("the end")


def test_time_left() -> None:
    state = replay("select")
    state.until = state.now + 65.0
    assert screen(state, 80, 24)[0].endswith("1:05 left")


def test_the_strip_covers_the_last_seconds() -> None:
    state = fresh()
    state.pid, state.now = 5, 100.0
    timeline = [
        [92.0, 96.0, "S", "pselect6", None],
        [96.0, 98.0, "R", None, None],
        [98.0, 99.9, "S", "recvfrom", 7],
    ]
    state.take_activity({"to": 100.0, "threads": [{"tid": 5, "timeline": timeline}]})
    cells = strip(state, 10)
    assert REMEMBERED_S == 10.0
    assert [call for call, _ in cells] == ["", ""] + ["pselect6"] * 4 + ["running"] * 2 + [
        "recvfrom"
    ] * 2
    assert [busy for _, busy in cells] == [0.0] * 6 + [1.0] * 2 + [0.0] * 2
