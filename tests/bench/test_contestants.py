"""Whoever is compared does the same work: whole lines are answered, and a piece of one waits."""

from __future__ import annotations

import socket

import pytest

from bench.contestants.framing import Lines
from bench.serving import Server

DEADLINE_S = 10.0


def exactly(client: socket.socket, size: int) -> bytes:
    """So many bytes, or what came before the end."""
    got = b""
    while len(got) < size and (piece := client.recv(size - len(got))):
        got += piece
    return got


@pytest.mark.parametrize(
    "pieces",
    [
        [b"one line\n"],
        [b"several\nlines\n\nin a packet\n"],
        [b"gr" + b"\xc3", b"\xbc\xc3\x9fe\n"],
        [b"by", b"te", b"s\nand the", b" next\n"],
        [b"x" * 100_000, b"\n"],
    ],
    ids=["one", "several", "split UTF-8", "in pieces", "long"],
)
def test_every_contestant_answers_lines(server: Server, pieces: list[bytes]) -> None:
    with socket.create_connection((server.address, server.port), DEADLINE_S) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            client.sendall(piece)
        sent = b"".join(pieces)
        assert exactly(client, len(sent)) == sent


def test_a_piece_of_a_line_is_not_answered(server: Server) -> None:
    with socket.create_connection((server.address, server.port), DEADLINE_S) as client:
        # Had the piece been answered, these bytes would come first, and once more.
        client.sendall(b"whole\nhal")
        assert exactly(client, 6) == b"whole\n"
        client.sendall(b"f\n")
        assert exactly(client, 5) == b"half\n"
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""


def test_framing_takes_what_comes() -> None:
    for size in range(1, 12):
        lines, whole = Lines(), b""
        text = b"a\n\nbc\nd"
        for start in range(0, len(text), size):
            whole += lines.feed(text[start : start + size])
        assert whole == b"a\n\nbc\n"
        assert lines.feed(b"\n") == b"d\n"
