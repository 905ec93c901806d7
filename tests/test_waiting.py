"""The wait of all tests."""

from __future__ import annotations

import re

import pytest

from tests.waiting import is_empty, wait_until


def test_it_gives_the_first_thing_seen_that_is_true() -> None:
    looks = iter([0, 0, 3, 4])
    assert wait_until("something", lambda: next(looks)) == 3


def test_what_holds_may_be_said() -> None:
    looks = iter([["two", "left"], ["one"], []])
    assert wait_until("nothing left", lambda: next(looks), holds=is_empty) == []


def test_the_error_tells_what_was_waited_for_and_what_was_seen_last() -> None:
    looks = iter(["first", *["last"] * 10_000])
    told = "after 0.02 s not yet: a number; last seen: 'last'"
    with pytest.raises(AssertionError, match=re.escape(told)):
        wait_until("a number", lambda: next(looks), holds=str.isdigit, within_s=0.02)
