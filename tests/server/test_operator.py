"""A person answers: what is typed, what is shown, and that nobody stalls meanwhile."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

from tests.server.running import Server


@pytest.fixture
def server(crowd_model: str, start: Callable[..., Server]) -> Server:
    """A server with an operator."""
    return start("--model", crowd_model, "--reply", "operator", stdin=subprocess.PIPE)


def type_in(server: Server, text: str) -> None:
    """Type as the operator."""
    assert server.process.stdin is not None
    server.process.stdin.write(text.encode())
    server.process.stdin.flush()


def test_answers_reach_the_client_that_is_named(server: Server) -> None:
    first, second = server.connect(), server.connect()
    first.send(b"from one\n")
    server.event("message", client=1, text="from one")
    second.send(b"from two\nand again\n")
    server.event("message", client=2, text="and again")
    type_in(server, "2 hello\n1 grüß ")
    assert second.read(6) == b"hello\n"
    type_in(server, "dich\n2 twice\n")
    answer = "grüß dich\n".encode()
    assert first.read(len(answer)) == answer
    assert second.read(6) == b"twice\n"


def test_list_shows_who_waits(server: Server) -> None:
    server.connect().send(b"a\nb\n")
    server.event("message", text="b")
    type_in(server, "list\n")
    (client,) = server.event("clients")["clients"]
    assert (client["client"], client["waiting"], client["state"]) == (1, 2, "OPEN")


def test_close_ends_it_and_numbers_are_not_used_again(server: Server) -> None:
    peer = server.connect()
    server.event("accepted", client=1)
    type_in(server, "close 1\n")
    assert peer.read_to_eof() == b""
    peer.close()
    assert server.event("closed", client=1)["reason"] == "operator"
    server.connect()
    server.event("accepted", client=2)


@pytest.mark.parametrize(
    ("typed", "shown"),
    [("7 hello", "there is no client 7"), ("close 7", "there is no client 7"), ("what", "type: ")],
)
def test_mistakes_are_explained(server: Server, typed: str, shown: str) -> None:
    type_in(server, typed + "\n")
    assert shown in server.event("operator-mistake")["text"]


def test_serves_on_when_the_operator_leaves(server: Server) -> None:
    assert server.process.stdin is not None
    server.process.stdin.close()
    server.event("operator-left")
    before = server.cpu_s()
    peer = server.connect()
    peer.send(b"anybody?\n")
    server.event("message", text="anybody?")
    assert server.cpu_s() - before < 0.3
    assert server.stop() == 0


def test_blocking_asks_the_operator_for_each_message(start: Callable[..., Server]) -> None:
    server = start("--model", "blocking", "--reply", "operator", stdin=subprocess.PIPE)
    peer = server.connect()
    peer.send(b"one\ntwo\n")
    server.event("message", text="two")
    type_in(server, "1 first\n")
    assert peer.read(6) == b"first\n"
    type_in(server, "1 second\n")
    assert peer.read(7) == b"second\n"
    peer.send(b"three\n")
    server.event("message", text="three")
    assert server.stop() == 0
