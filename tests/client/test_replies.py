"""What is owed is found again in what comes, however it is cut; nothing else is."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iolab.client.payload import Constant, Source, Voice
from iolab.client.replies import UNASKED, Replies


def whole(source: Source, step: int = 1 << 20) -> bytes:
    data = b""
    while len(data) < source.length:
        data += source.slice(len(data), step)
    return data


SOURCES = st.one_of(
    st.builds(Constant, st.binary(min_size=1, max_size=20), st.integers(1, 50)),
    st.builds(
        lambda name, *message: Voice(name).say(*message),
        st.sampled_from(["a#0", "group#17"]),
        st.integers(1, 6000),
        st.integers(1, 4),
        st.booleans(),
    ),
)


@settings(deadline=None)
@given(SOURCES, st.integers(1, 700))
def test_a_source_is_the_same_however_it_is_sliced(source: Source, step: int) -> None:
    data = whole(source)
    assert whole(source, step) == data
    for at in range(0, len(data), 211):
        part = source.slice(at, step)
        assert 0 < len(part) <= step
        assert data[at : at + len(part)] == part


@settings(deadline=None)
@given(st.lists(SOURCES, max_size=5), st.lists(st.integers(1, 5000), min_size=1, max_size=20))
def test_what_is_owed_matches_however_it_is_cut(sources: list[Source], cuts: list[int]) -> None:
    replies = Replies()
    for source in sources:
        replies.owe(source)
    stream = b"".join(map(whole, sources))
    at = turn = 0
    while at < len(stream):
        piece = stream[at : at + cuts[turn % len(cuts)]]
        assert replies.take(piece) is None
        at += len(piece)
        turn += 1
    assert replies.matched == replies.owed == len(stream)
    assert replies.complete == stream.count(b"\n")
    assert not replies.said


@settings(deadline=None)
@given(st.integers(1, 3000), st.data())
def test_one_changed_byte_is_found_at_its_place(size: int, data: st.DataObject) -> None:
    source = Voice("g#1").say(size, 2, newline=True)
    right = whole(source)
    at = data.draw(st.integers(0, len(right) - 1))
    wrong = right[:at] + bytes([right[at] ^ 1]) + right[at + 1 :]
    replies = Replies()
    replies.owe(source)
    failure = replies.take(wrong)
    assert failure is not None
    assert (failure.kind, failure.at) == ("mismatch", at)
    assert failure.expected != failure.got


@settings(deadline=None)
@given(st.integers(8, 200_000), st.integers(1, 200_000))
def test_a_lost_part_is_found(size: int, lost: int) -> None:
    source = Voice("g#1").say(size, 2, newline=True)
    data = whole(source)
    replies = Replies()
    replies.owe(source)
    lost = min(lost, size)
    assert replies.take(data[: size // 2] + data[size // 2 + lost :]) is not None


def test_messages_differ_between_connections_and_numbers() -> None:
    voices = [Voice(name) for name in ("a#0", "a#1", "b#0")]
    messages = {
        whole(voice.say(size, 1, newline=False))
        for voice in voices
        for _ in range(50)
        for size in (5, 12, 64)
    }
    assert len(messages) == 450


def test_a_message_is_the_same_alone_and_among_others() -> None:
    for size in (1, 5, 64, 4096, 5000):
        one, many = Voice("a#0"), Voice("a#0")
        alone = b"".join(whole(one.say(size, 1, newline=True)) for _ in range(3))
        assert alone == whole(many.say(size, 3, newline=True))


def test_what_nobody_asked_for_is_kept_up_to_a_bound() -> None:
    replies = Replies()
    replies.owe(Constant(b"a\n"))
    assert replies.take(b"a\nrest") is None
    assert replies.said == b"rest"
    failure = replies.take(b"x" * UNASKED)
    assert failure is not None
    assert failure.kind == "surplus"
    replies.welcome = True
    assert replies.take(b"x" * UNASKED) is None
    assert len(replies.said) == UNASKED


@pytest.mark.parametrize("came", [b"a\n!b\n", b"a\nb\n"])
def test_an_urgent_byte_may_come_or_not(came: bytes) -> None:
    for cut in range(1, len(came)):
        replies = Replies()
        replies.owe(Constant(b"a\n"))
        replies.owe_perhaps(b"!")
        replies.owe(Constant(b"!b\n"), 1)
        assert replies.take(came[:cut]) is None
        assert replies.take(came[cut:]) is None
        assert replies.matched == replies.owed == len(came)


def test_what_was_never_sent_is_not_owed() -> None:
    replies = Replies()
    replies.owe(Constant(b"first\n"))
    replies.owe(Constant(b"second\n"))
    replies.forgive(9)
    assert replies.owed == 4
    assert replies.take(b"firs") is None
    assert replies.take(b"t") is None
    assert replies.said == b"t"
