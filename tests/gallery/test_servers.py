"""The inhabitants as such: each starts, answers, explains itself, and is as short as promised."""

from __future__ import annotations

import ast
import re
import socket
import threading
from pathlib import Path

import pytest

from harness.subject import load
from tests.gallery.servers import BROKEN, CONTROLS, ask, read_to_end, reset, running, until

ALL = [*BROKEN, *CONTROLS]
LINES = {"broken": 80, "control": 120}


def _name(path: Path) -> str:
    return path.stem


def test_there_are_enough() -> None:
    assert len(BROKEN) >= 41
    assert len(CONTROLS) >= 7


@pytest.mark.parametrize("script", ALL, ids=_name)
def test_explains_itself_in_a_few_sentences(script: Path) -> None:
    text = script.read_text()
    told = ast.get_docstring(ast.parse(text)) or ""
    assert 2 <= len(re.findall(r"[.:!?](?=\s|$)", told)) <= 8, told
    limit = LINES["control" if script in CONTROLS else "broken"]
    assert 20 <= len(text.splitlines()) <= limit


@pytest.mark.parametrize("script", ALL, ids=_name)
def test_has_a_manifest_that_says_what_must_be_found(script: Path) -> None:
    subject = load(script.with_suffix(".toml"))
    assert subject.name == script.stem
    assert subject.title
    if script in CONTROLS:
        assert not subject.expected
    else:
        assert 1 <= len(subject.expected) <= 3
        for found in subject.expected.values():
            re.compile(found.partition(":")[2].strip())


@pytest.mark.parametrize("host", ["127.0.0.7", "::1", "::"])
@pytest.mark.parametrize("script", ALL, ids=_name)
def test_answers(script: Path, host: str) -> None:
    with running(script, host) as server, server.connect() as client:
        assert ask(client, b"hello\n") == b"hello\n"
        assert ask(client, "zwei Wörter\n".encode()) == "zwei Wörter\n".encode()


@pytest.mark.parametrize("script", CONTROLS, ids=_name)
class TestControls:
    """What every control keeps, whatever it promises besides."""

    def test_answers_everything_before_the_end(self, script: Path) -> None:
        lines = [bytes([n % 256]) * n for n in range(0, 70_000, 997)]
        sent = b"".join(line.replace(b"\n", b"\r") + b"\n" for line in lines) + b"unfinished"
        with running(script) as server, server.connect() as client:

            def send() -> None:
                client.sendall(sent)
                client.shutdown(socket.SHUT_WR)

            sender = threading.Thread(target=send)
            sender.start()
            reply = read_to_end(client)
            sender.join()
            assert reply == sent.removesuffix(b"unfinished")
            until(lambda: server.rows("CLOSE-WAIT") == 0, "the connection is closed")

    def test_lets_go_of_every_kind_of_end(self, script: Path) -> None:
        with running(script) as server:
            with server.connect() as client:
                ask(client, b"first\n")
            until(lambda: server.rows("ESTABLISHED") == server.rows("CLOSE-WAIT") == 0, "settled")
            processes = server.processes()
            before = {pid: server.sockets(pid) for pid in processes}
            for _ in range(5):
                server.connect().close()
                reset(server.connect())
                for end in (reset, socket.socket.close):
                    client = server.connect(receive_buffer=4096)
                    client.sendall(b"half")
                    end(client)
                    client = server.connect(receive_buffer=4096)
                    client.sendall(b"x" * 500_000 + b"\nnothing of it is read")
                    end(client)
            until(
                lambda: (
                    server.rows("ESTABLISHED") == server.rows("CLOSE-WAIT") == 0
                    and {pid: server.sockets(pid) for pid in server.processes()} == before
                ),
                "descriptors and sockets are back where they were",
            )
            with server.connect() as client:
                assert ask(client, b"still there?\n") == b"still there?\n"
