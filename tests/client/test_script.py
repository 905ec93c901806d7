"""Scripts are read whole or refused in one line that says where and what is allowed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from iolab.client.fields import Invalid
from iolab.client.script import Ask, Expect, Repeat, Send, load, quantity, read_script

CONNECT = {"do": "connect"}


def test_a_script_becomes_steps() -> None:
    table = {
        "title": "T",
        "what": "W",
        "step": [
            CONNECT,
            {"do": "send", "hex": "00 ff", "newline": False, "mark": "half"},
            {"do": "repeat", "times": 2, "steps": [{"do": "ask", "size": 10, "doing": "asking"}]},
        ],
    }
    script = read_script(table, "x")
    assert (script.title, script.what, len(script.steps)) == ("T", "W", 3)
    _, send, repeat = script.steps
    assert isinstance(send, Send)
    assert (send.hex, send.mark, send.number) == (b"\x00\xff", "half", "2")
    assert send.doing == "sending 2 bytes"
    assert isinstance(repeat, Repeat)
    [ask] = repeat.steps
    assert isinstance(ask, Ask)
    assert (ask.number, ask.doing, ask.within_s) == ("3.1", "asking", 5.0)


@pytest.mark.parametrize(
    ("steps", "error"),
    [
        ("x", "s: `step` must be a list of steps, not 'x'"),
        ([], "s: `step` must hold at least one step"),
        ([3], "s: step 1: a table with `do` is needed, not 3"),
        ([{}], "s: step 1: `do` is missing; allowed: connect, send"),
        ([{"do": "sing"}], "s: step 1: `do` cannot be 'sing'; allowed: connect, send, ask"),
        (
            [CONNECT, {"do": "send", "txt": ""}],
            "s: step 2 (send): `txt` is no field of it; allowed:",
        ),
        ([CONNECT, {"do": "send"}], "s: step 2 (send): exactly one of `text`, `hex` and `size`"),
        ([CONNECT, {"do": "send", "text": "", "newline": False}], "leaves nothing to send"),
        ([CONNECT, {"do": "send", "text": 7}], "step 2 (send): `text` must be a text, not 7"),
        ([CONNECT, {"do": "send", "hex": "0g"}], "`hex` must be bytes in hexadecimal"),
        ([CONNECT, {"do": "send", "size": -1}], "`size` must be a whole number, 0 or more, not -1"),
        ([CONNECT, {"do": "send", "size": True}], "`size` must be a whole number"),
        ([CONNECT, {"do": "send", "size": 1, "rate": 0}], "`rate` must be bytes a second"),
        ([CONNECT, {"do": "send", "size": 1, "rate": 9, "pause_s": 1}], "both set the pace"),
        ([CONNECT, {"do": "send", "text": "ü", "urgent": True}], "`urgent` needs a `text`"),
        ([CONNECT, {"do": "ask", "text": "", "unanswered": True}], "`unanswered` is no field"),
        ([CONNECT, {"do": "idle"}], "step 2 (idle): `for_s` is missing; it is seconds, 0 or more"),
        ([CONNECT, {"do": "idle", "for_s": float("inf")}], "`for_s` must be seconds"),
        ([CONNECT, {"do": "expect", "text": "a", "bytes": 1}], "`text` and `bytes` do not go"),
        ([CONNECT, {"do": "expect", "nothing_s": 1, "eof": True}], "`nothing_s` does not go"),
        ([CONNECT, {"do": "expect", "anything": True}], "`anything` needs `eof` or `reset`"),
        ([CONNECT, {"do": "wait", "go": ""}], "`go` must be a name of 1 to 64"),
        ([CONNECT, {"do": "repeat"}], "step 2 (repeat): `steps` is missing"),
        ([CONNECT, {"do": "repeat", "steps": 1}], "`steps` must be a list of steps, not 1"),
        ([CONNECT, {"do": "repeat", "steps": []}], "`steps` must hold at least one step"),
        ([CONNECT, {"do": "repeat", "steps": [CONNECT, {"do": "x"}]}], "s: step 2.2: `do` cannot"),
        ([{"do": "send", "text": "a"}], "s: step 1: there is no connection here"),
        ([CONNECT, {"do": "close"}, {"do": "hang"}], "s: step 3: there is no connection here"),
        ([CONNECT, {"do": "half-close"}, {"do": "ask", "text": ""}], "step 3: nothing can be sent"),
        (
            [CONNECT, {"do": "repeat", "steps": [{"do": "read", "on": True}, {"do": "close"}]}],
            "s: step 2.1: there is no connection here",
        ),
    ],
)
def test_errors_name_the_step_and_the_field(steps: Any, error: str) -> None:
    with pytest.raises(Invalid) as caught:
        read_script({"step": steps}, "s")
    assert error in str(caught.value)
    assert str(caught.value).startswith("s: ")
    assert "\n" not in str(caught.value)


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('title = "Mine"\n[[step]]\ndo = "connect"\n', encoding="utf-8")
    assert load(str(path)).title == "Mine"
    path.write_text("[[step]\n", encoding="utf-8")
    with pytest.raises(Invalid, match=r"^mine\.toml: Expected"):
        load(str(path))
    with pytest.raises(Invalid, match="no such script; there are"):
        load("nobody")


def test_words() -> None:
    assert [quantity(n) for n in (1, 64, 1536, 16 << 20)] == [
        "1 byte",
        "64 bytes",
        "1.5 KiB",
        "16 MiB",
    ]
    assert Ask(text="abc", times=2, piece=1).doing == "asking 2 × 4 bytes in pieces of 1 byte"
    assert Expect(replies=3, rate=65536).doing == "waiting for 3 replies, reading 64 KiB/s"
    assert Expect(eof=True, reset=True).doing == "waiting for the end or reset"
