"""The operator's line: keys in, lines out."""

from __future__ import annotations

import pytest

from iolab.harness.live.editor import Editor

LEFT, RIGHT, UP, DOWN = b"\x1b[D", b"\x1b[C", b"\x1b[A", b"\x1b[B"


def typed(*pieces: bytes) -> tuple[list[str], str, int]:
    editor = Editor()
    lines = [line for piece in pieces for line in editor.type(piece)]
    return lines, editor.text, editor.cursor


def test_a_line_is_complete_with_enter() -> None:
    assert typed(b"3 hel", b"lo\rlist\n4") == (["3 hello", "list"], "4", 1)


def test_characters_come_in_pieces() -> None:
    assert typed(*[bytes([byte]) for byte in "3 你好".encode()]) == ([], "3 你好", 4)


@pytest.mark.parametrize(
    ("keys", "text", "cursor"),
    [
        (b"ab\x7f", "a", 1),
        (b"ab" + LEFT + b"x", "axb", 2),
        (b"ab" + LEFT + LEFT + LEFT + RIGHT + b"x", "axb", 2),
        (b"ab\x01x", "xab", 1),
        (b"ab\x01\x05x", "abx", 3),
        (b"ab\x1b[Hx\x1b[Fy", "xaby", 4),
        (b"ab\x1bOHx\x1bOFy", "xaby", 4),
        (b"ab" + LEFT + b"\x1b[3~", "a", 1),
        (b"3 hello world\x17", "3 hello ", 8),
        (b"3 hello\x17\x17", "", 0),
        (b"ab" + LEFT + b"\x15", "b", 0),
        (b"ab" + LEFT + b"\x0b", "a", 1),
        (b"a\x1b[15~b\x1b[1;5Cc\x04", "abc", 3),
        (b"\x7f\x17\x1b[3~" + LEFT + RIGHT, "", 0),
    ],
)
def test_editing(keys: bytes, text: str, cursor: int) -> None:
    assert typed(keys) == ([], text, cursor)
    assert typed(*[bytes([key]) for key in keys]) == ([], text, cursor)


def test_history() -> None:
    before = b"one\rtwo\r"
    assert typed(before, UP)[1] == "two"
    assert typed(before, UP + UP)[1] == "one"
    assert typed(before, UP + UP + UP + DOWN)[1] == "two"
    assert typed(before, UP + DOWN)[1] == ""
    assert typed(before, UP + b"\r") == (["one", "two", "two"], "", 0)
