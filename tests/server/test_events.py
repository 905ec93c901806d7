"""The log never makes anybody wait, and says what it lost."""

from __future__ import annotations

import json
import os

from iolab.server.events import CAPACITY, Log, json_line, text_line


def test_a_stuck_reader_costs_lines_and_the_loss_is_said() -> None:
    reader, writer = os.pipe()
    log = Log("json", writer)
    filler = "x" * 200
    for number in range(CAPACITY * 2):  # more than pipe and queue hold together
        log.event("noise", number=number, filler=filler)
    with os.fdopen(reader, "rb") as pipe:
        first = json.loads(pipe.readline())
        assert (first["event"], first["number"]) == ("noise", 0)
        while log.waiting:
            pipe.readline()
        log.event("after")
        lines = [first]
        while lines[-1]["event"] != "after":
            lines.append(json.loads(pipe.readline()))
    assert lines[-2]["event"] == "log-dropped"
    assert 0 < lines[-2]["lines"] < CAPACITY * 2
    log.close()
    os.close(writer)


def test_a_reader_that_left_costs_nothing() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    log = Log("json", writer)
    for _ in range(CAPACITY + 1):
        log.event("noise")
    log.close()
    os.close(writer)


def test_lines_are_for_programs_or_for_people() -> None:
    line = json.loads(json_line("closed", {"client": 3, "reason": "eof", "note": "grün"}))
    assert line.pop("t") > 0
    assert line == {"event": "closed", "client": 3, "reason": "eof", "note": "grün"}
    text = text_line("message", {"client": 3, "text": "two words", "peer": None, "end": "\n"})
    assert text.split(maxsplit=1)[1] == 'message         client=3 text="two words" end="\\n"'
