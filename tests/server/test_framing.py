"""Framing gives the same messages however TCP cut the bytes."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from iolab.server.framing import LineFraming, RawFraming, unfinished_character

MAX = 8


def pieces(data: bytes, cuts: Iterable[int]) -> list[bytes]:
    """`data` cut at the given places; no empty piece, as recv gives none."""
    places = [0, *sorted({cut % (len(data) + 1) for cut in cuts}), len(data)]
    return [data[a:b] for a, b in pairwise(places) if a < b]


def frame(framing: LineFraming, data: list[bytes]) -> bytes:
    """All blocks that come out until the framing refuses to go on."""
    whole = bytearray()
    for piece in data:
        whole += framing.feed(piece)
        if framing.oversize:
            break
    return bytes(whole)


def allowed(data: bytes) -> tuple[bytes, bool]:
    """What line framing must give, said the slow way: the good messages, and whether one is not."""
    *lines, rest = data.split(b"\n")
    good = bytearray()
    for line in lines:
        if len(line) > MAX:
            return bytes(good), True
        good += line + b"\n"
    return bytes(good), len(rest) > MAX


streams = st.lists(st.sampled_from([b"", b"\n", b"a", b"bcd", b"e" * 7, b"f" * 8])).map(b"".join)


@given(streams, st.lists(st.integers(min_value=0)))
def test_lines_do_not_depend_on_the_cuts(data: bytes, cuts: list[int]) -> None:
    framing = LineFraming(MAX)
    assert (frame(framing, pieces(data, cuts)), framing.oversize) == allowed(data)


@given(streams)
def test_lines_byte_by_byte(data: bytes) -> None:
    framing = LineFraming(MAX)
    assert (frame(framing, pieces(data, range(len(data)))), framing.oversize) == allowed(data)


@given(streams)
def test_what_is_not_whole_is_kept(data: bytes) -> None:
    framing = LineFraming(10_000)
    block = frame(framing, pieces(data, range(0, len(data), 3)))
    assert bytes(block) + bytes(framing.partial) == data


def test_exactly_the_largest_message_is_allowed() -> None:
    assert LineFraming(3).feed(b"abc\n") == b"abc\n"
    framing = LineFraming(3)
    assert framing.feed(b"abc") == b""
    assert not framing.oversize
    assert framing.feed(b"\n") == b"abc\n"


def test_one_byte_more_is_refused_before_its_newline_comes() -> None:
    framing = LineFraming(3)
    assert framing.feed(b"ok\nabcd") == b"ok\n"
    assert framing.oversize


def test_blocks_are_counted_and_split() -> None:
    framing = LineFraming(100)
    framing.feed(b"a\n\nb\nc")
    assert framing.messages == 3
    assert framing.split(b"a\n\nb\n") == [b"a", b"", b"b"]
    assert framing.valid_text(b"a\n\xff\nb\n") == 2


@given(st.text(), st.lists(st.integers(min_value=0)))
def test_raw_pieces_never_hold_half_a_character(text: str, cuts: list[int]) -> None:
    framing = RawFraming()
    data = text.encode()
    blocks = [bytes(framing.feed(piece)) for piece in pieces(data, cuts)]
    for block in blocks:
        block.decode()
    assert b"".join(blocks) == data
    assert framing.partial == b""


@given(st.binary())
def test_raw_bytes_that_are_no_text_are_kept_whole(data: bytes) -> None:
    framing = RawFraming()
    assert framing.feed(data) + bytes(framing.partial) == data
    assert len(framing.partial) == unfinished_character(data) <= 3
