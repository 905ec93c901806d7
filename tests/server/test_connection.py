"""The connection without a socket: what it answers, what it wants, and which order it refuses."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iolab.server import connection as module
from iolab.server.connection import (
    CLOSED,
    LINGER_S,
    TRANSITIONS,
    Connection,
    Event,
    State,
    StateError,
)
from iolab.server.settings import parse


def make(*flags: str) -> Connection:
    """A connection of a server with those flags."""
    return Connection(parse(flags))


def take(connection: Connection, most: int = 2**30) -> bytes:
    """Play a kernel that takes `most` bytes of output a call, until there is none."""
    taken = bytearray()
    while connection.output:
        piece = bytes(connection.output[:most])
        taken += piece
        connection.data_sent(len(piece))
    return bytes(taken)


def wants(connection: Connection) -> str:
    """What the driver is to do, as words."""
    wanted = {
        "read": connection.wants_read,
        "write": connection.wants_write,
        "fin": connection.wants_fin,
    }
    return " ".join(word for word, wish in wanted.items() if wish)


def test_it_imports_nothing_that_does_io() -> None:
    seen = set()
    todo = [Path(module.__file__)]
    while todo:
        tree = ast.parse(todo.pop().read_text())
        for node in ast.walk(tree):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module]
            for name in names:
                if name in ("framing", "reply") and name not in seen:
                    todo.append(Path(module.__file__).with_name(f"{name}.py"))
                seen.add(name)
    assert {"framing", "reply"} <= seen
    assert not seen & {"socket", "select", "selectors", "asyncio", "os", "ssl", "time", "threading"}


def test_every_state_has_a_row_and_every_target_is_a_state() -> None:
    assert set(TRANSITIONS) == set(State)
    for row in TRANSITIONS.values():
        assert set(row) <= set(Event)
        assert set(row.values()) <= set(State)


def test_every_state_but_closed_can_be_aborted() -> None:
    for state, row in TRANSITIONS.items():
        assert (Event.ABORT in row) == (state is not CLOSED)


def test_what_cannot_happen_is_an_error_that_names_state_and_event() -> None:
    connection = make()
    connection.receive_eof()
    with pytest.raises(StateError, match="CLOSED cannot take DATA"):
        connection.receive_data(b"late")


@given(st.lists(st.binary(min_size=1, max_size=50)), st.integers(min_value=1, max_value=20))
def test_echo_gives_back_every_whole_line_however_it_is_sent(data: list[bytes], most: int) -> None:
    connection = make()
    said = b"".join(data)
    heard = bytearray()
    for piece in data:
        connection.receive_data(piece)
        heard += take(connection, most)
    assert bytes(heard) == said[: said.rfind(b"\n") + 1]
    assert connection.messages == said.count(b"\n")
    connection.receive_eof()
    assert connection.state is CLOSED
    assert connection.reason == "eof"


@given(st.lists(st.binary(min_size=1, max_size=50).map(lambda line: line + b"\n")))
def test_answers_queue_in_order_while_the_kernel_takes_nothing(data: list[bytes]) -> None:
    connection = make()
    for piece in data:
        connection.receive_data(piece)
        connection.data_sent(0)
    assert connection.unsent == sum(map(len, data))
    connection.receive_eof()
    assert connection.state is (module.CLOSE_WAIT if data else CLOSED)
    assert take(connection) == b"".join(data)
    assert connection.state is CLOSED


def test_reading_stops_at_high_water_and_resumes_at_low_water() -> None:
    connection = make("--high-water", "400")
    connection.receive_data(b"x" * 399 + b"\n")
    connection.data_sent(0)
    assert wants(connection) == "write"
    connection.data_sent(299)
    assert wants(connection) == "write"
    connection.data_sent(1)
    assert connection.unsent == 100
    assert wants(connection) == "read write"


def test_answers_that_queue_behind_an_unfinished_send_hold_the_peer_too() -> None:
    connection = make("--high-water", "400")
    for _ in range(4):
        assert "read" in wants(connection)
        connection.receive_data(b"x" * 99 + b"\n")
    assert wants(connection) == "write"


def test_a_large_answer_that_the_kernel_takes_at_once_holds_nobody() -> None:
    connection = make("--high-water", "10")
    connection.receive_data(b"x" * 1000 + b"\n")
    connection.data_sent(1001)
    assert wants(connection) == "read"


def test_refusal_is_said_then_our_fin_then_the_peer_is_ignored_for_a_while() -> None:
    connection = make("--max-message", "3")
    connection.receive_data(b"abc\nabcd")
    assert wants(connection) == "write"
    assert take(connection) == b"abc\nerror: message longer than 3 bytes\n"
    assert wants(connection) == "fin"
    connection.fin_sent()
    assert wants(connection) == "read"
    connection.receive_data(b"more\n" * 100)
    assert connection.output == b""
    assert connection.patience == LINGER_S
    assert connection.expire(0.0) == 0
    assert (connection.state, connection.reason) == (CLOSED, "oversize")


def test_our_fin_is_sent_once_and_only_after_the_last_byte() -> None:
    connection = make("--max-message", "3")
    with pytest.raises(StateError, match="OPEN cannot take FIN_SENT"):
        connection.fin_sent()
    connection.receive_data(b"abcd")
    assert wants(connection) == "write"
    with pytest.raises(StateError, match="FLUSHING cannot take FIN_SENT"):
        connection.fin_sent()
    take(connection)
    connection.fin_sent()
    with pytest.raises(StateError, match="FIN_WAIT cannot take FIN_SENT"):
        connection.fin_sent()
    connection.receive_eof()
    assert (connection.state, connection.reason) == (CLOSED, "oversize")


def test_patience_counts_from_the_last_byte_given_or_taken() -> None:
    connection = make("--idle-timeout", "10")
    assert connection.patience == 10
    assert connection.expire(4.0) == 6.0
    assert connection.expire(10.0) == 0
    assert connection.reason == "idle-timeout"


def test_who_waits_for_the_operator_is_not_idle_while_it_listens() -> None:
    connection = make("--reply", "operator", "--idle-timeout", "10")
    connection.receive_data(b"anybody?\n")
    assert connection.expire(11.0) == 10
    connection.receive_eof()
    assert connection.state is module.CLOSE_WAIT
    assert connection.expire(11.0) == 0


def test_operator_answers_the_oldest_message_first() -> None:
    connection = make("--reply", "operator")
    assert not connection.answer(b"to what?")
    connection.receive_data(b"one\ntwo\n")
    assert list(connection.owed or ()) == [b"one", b"two"]
    connection.receive_eof()
    assert connection.answer(b"1")
    assert take(connection) == b"1\n"
    assert connection.state is module.CLOSE_WAIT
    assert connection.answer(b"2")
    assert take(connection) == b"2\n"
    assert connection.state is CLOSED


def test_stop_waits_for_half_a_message_and_for_unsent_answers() -> None:
    connection = make()
    connection.receive_data(b"done\nhal")
    connection.stop()
    connection.input_drained()
    assert "fin" not in wants(connection)
    assert take(connection) == b"done\n"
    connection.input_drained()
    assert "fin" not in wants(connection)
    connection.receive_data(b"f\n")
    assert take(connection) == b"half\n"
    connection.input_drained()
    assert "fin" in wants(connection)
    assert connection.reason == "shutdown"


def test_invalid_text_is_refused_after_what_was_valid() -> None:
    connection = make("--invalid-utf8", "close")
    connection.receive_data(b"ok\nbad \xff\nok\n")
    assert take(connection) == b"ok\nerror: message is not UTF-8\n"
    assert connection.reason == "invalid-utf8"


def test_raw_framing_answers_half_a_character_at_the_end() -> None:
    connection = make("--framing", "raw")
    connection.receive_data(b"a\xe2\x82")
    assert take(connection) == b"a"
    connection.receive_eof()
    assert take(connection) == b"\xe2\x82"
