"""The prompt, on a terminal and through pipes."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from iolab.client.terminal import Line, above
from tests.client import servers
from tests.client.playing import DEADLINE_S, ROOT
from tests.client.servers import Address, serving

CTRL_D, CTRL_U, CTRL_W, BACKSPACE, UP = b"\x04", b"\x15", b"\x17", b"\x7f", b"\x1b[A"


class Terminal:
    """A person at a terminal: types, and looks at what is shown."""

    def __init__(self, fd: int, process: subprocess.Popen[bytes]) -> None:
        self._fd = fd
        self.process = process
        self.shown = ""

    def type(self, data: bytes) -> None:
        os.write(self._fd, data)

    def see(self, pattern: str) -> None:
        """Wait until what is shown since the last look matches; the rest stays to be seen."""
        deadline = time.monotonic() + DEADLINE_S
        while not (match := re.search(pattern, self.shown, re.DOTALL)):
            ready, _, _ = select.select([self._fd], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                pytest.fail(f"{pattern!r} was not shown; last seen: {self.shown!r}")
            try:
                data = os.read(self._fd, 65536)
            except OSError:  # the other side of the terminal is closed
                data = b""
            if not data:
                pytest.fail(f"{pattern!r} was not shown before the end: {self.shown!r}")
            self.shown += data.decode()
        self.shown = self.shown[match.end() :]


@contextmanager
def terminal(target: Address) -> Iterator[Terminal]:
    """The prompt on a terminal of its own."""
    own, other = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "client", *map(str, target)],
        cwd=ROOT,
        stdin=other,
        stdout=other,
        stderr=other,
        start_new_session=True,
    )
    os.close(other)
    person = Terminal(own, process)
    person.see(r"\r\x1b\[K>>> $")
    try:
        yield person
    finally:
        process.kill()
        process.wait(DEADLINE_S)
        os.close(own)


def listening() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


def piped(target: Address, data: bytes) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "client", *map(str, target)],
        cwd=ROOT,
        input=data,
        capture_output=True,
        timeout=DEADLINE_S,
        check=False,
    )


def test_typing_is_answered() -> None:
    with serving(servers.echo) as target, terminal(target) as person:
        person.type("你好 wörld\n".encode())
        person.see(r"\r\x1b\[K>>> 你好 wörld\r\n")
        person.see(r"\r\x1b\[K<<< 你好 wörld\r\n\r\x1b\[K>>> $")
        person.type(CTRL_D)
        person.see(r"you have ended; waiting for the rest")
        assert person.process.wait(DEADLINE_S) == 0


def test_a_reply_in_the_middle_of_typing_leaves_the_typing() -> None:
    with listening() as listener, terminal(listener.getsockname()) as person:
        server, _ = listener.accept()
        with server:
            person.type(b"half a thou")
            person.see(r">>> half a thou$")
            server.sendall(b"news\n")
            person.see(r"\r\x1b\[K<<< news\r\n\r\x1b\[K>>> half a thou$")
            person.type(b"ght\n")
            person.see(r">>> half a thought\r\n")
            assert server.recv(100) == b"half a thought\n"


def test_characters_cut_in_two_are_put_together() -> None:
    with listening() as listener, terminal(listener.getsockname()) as person:
        server, _ = listener.accept()
        with server:
            data = "月\n".encode()
            server.sendall(data[:2])
            person.type(b"x")
            person.see(r">>> x$")
            server.sendall(data[2:])
            person.see(r"<<< 月\r\n")


def test_the_server_ends() -> None:
    with serving(servers.answers_and_ends) as target, terminal(target) as person:
        person.type(b"bye\n")
        person.see(r"<<< bye\r\n.*the server has ended the connection\r\n")
        assert person.process.wait(DEADLINE_S) == 0


def test_a_reset_is_told_in_words() -> None:
    with serving(servers.resets) as target, terminal(target) as person:
        person.type(b"bye\n")
        person.see(r"the peer reset the connection \(ECONNRESET")
        assert person.process.wait(DEADLINE_S) == 1


def test_ctrl_c_leaves_quietly() -> None:
    with serving(servers.echo) as target, terminal(target) as person:
        person.process.send_signal(signal.SIGINT)
        assert person.process.wait(DEADLINE_S) == 0
        assert "Traceback" not in person.shown


def test_ctrl_d_waits_for_the_rest() -> None:
    with listening() as listener, terminal(listener.getsockname()) as person:
        server, _ = listener.accept()
        with server:
            person.type(b"question\n" + CTRL_D)
            person.see(r"waiting for the rest")
            with server.makefile("rb") as stream:
                assert stream.read() == b"question\n"
            server.sendall(b"answer\n")
            person.see(r"<<< answer\r\n")
        assert person.process.wait(DEADLINE_S) == 0


def test_pipes_carry_the_bytes_and_nothing_else() -> None:
    data = b"one\n\xff\x00two\n" + b"long" * 100_000 + b"\n"
    with serving(servers.echo) as target:
        done = piped(target, data)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == data


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        target = listener.getsockname()
    done = piped(target, b"")
    assert done.returncode == 1
    assert done.stderr.decode() == (
        f"127.0.0.1 port {target[1]}: the connection was refused (ECONNREFUSED from connect)\n"
    )
    assert b"Traceback" not in piped(("no.such.host.invalid", 9), b"").stderr


def test_piped_input_after_the_server_has_gone() -> None:
    with serving(servers.resets) as target:
        done = piped(target, b"line\n" * 10_000)
    assert done.returncode == 1
    assert b"ECONNRESET" in done.stderr or b"EPIPE" in done.stderr


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        (b"abc" + BACKSPACE, "ab"),
        ("月光".encode() + BACKSPACE, "月"),
        (b"one two" + CTRL_W, "one "),
        (b"one two" + CTRL_U, ""),
        (b"first\nsecond\n" + UP, "second"),
        (b"first\nsecond\n" + UP + UP, "first"),
        (b"first\n" + UP + b"\x1b[B", ""),
        (b"a\x1b[1;5Cb\x01c", "abc"),
        (b"a" + CTRL_D, "a"),
    ],
)
def test_editing(keys: bytes, text: str) -> None:
    line = Line("> ")
    for place in range(len(keys)):
        line.typed(keys[place : place + 1])
    assert line.drawn() == f"\r\x1b[K> {text}"
    assert not line.ended


def test_a_long_line_shows_its_end() -> None:
    line = Line("> ")
    line.typed(("字" * 200).encode())
    assert line.drawn() == "\r\x1b[K> " + "字" * 38


def test_above() -> None:
    assert above("a") == above("a\n") == "\r\x1b[Ka\n"
