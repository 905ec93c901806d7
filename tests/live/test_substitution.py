"""Variables in compose.yaml mean what they mean to Compose."""

from __future__ import annotations

import pytest

from iolab.harness.errors import UsageError
from iolab.harness.live.substitution import substitute

VARIABLES = {"MODEL": "poll", "EMPTY": ""}


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("plain", "plain"),
        ("$MODEL", "poll"),
        ("--model=${MODEL}", "--model=poll"),
        ("${MODEL:-select}", "poll"),
        ("${OTHER:-select}", "select"),
        ("${OTHER:-}", ""),
        ("${OTHER}", ""),
        ("${EMPTY:-select}", "select"),
        ("${EMPTY-select}", ""),
        ("${MODEL:?needed}", "poll"),
        ("a $$ sign", "a $ sign"),
        ("$${MODEL}", "${MODEL}"),
    ],
)
def test_values(text: str, result: str) -> None:
    assert substitute(text, VARIABLES, "here") == result


@pytest.mark.parametrize("text", ["${OTHER:?give one}", "${EMPTY:?give one}", "${OTHER?give one}"])
def test_a_variable_that_must_be_set(text: str) -> None:
    with pytest.raises(UsageError, match=r"^here: (OTHER|EMPTY) must be set: give one$"):
        substitute(text, VARIABLES, "here")


@pytest.mark.parametrize("text", ["${", "${1}", "$ x", "${MODEL:+x}", "${MODEL"])
def test_what_is_no_variable(text: str) -> None:
    with pytest.raises(UsageError, match=r"^here: behind \$ comes NAME"):
        substitute(text, VARIABLES, "here")
