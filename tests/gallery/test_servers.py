"""The inhabitants as such: each starts, answers, explains itself, and is as short as promised."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from iolab.harness.subject.manifest import load
from tests.gallery.servers import BROKEN, CONTROLS, ask, running
from tests.ipv6 import IPV6_ANY, IPV6_LOOPBACK

ALL = [*BROKEN, *CONTROLS]
LINES = {"broken": 80, "control": 120}


def _name(path: Path) -> str:
    return path.stem


def test_there_are_enough() -> None:
    assert len(BROKEN) >= 90
    assert len(CONTROLS) >= 11


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


@pytest.mark.parametrize("host", ["127.0.0.7", IPV6_LOOPBACK, IPV6_ANY])
@pytest.mark.parametrize("script", ALL, ids=_name)
def test_answers(script: Path, host: str) -> None:
    with running(script, host) as server, server.connect() as client:
        assert ask(client, b"hello\n") == b"hello\n"
        assert ask(client, "zwei Wörter\n".encode()) == "zwei Wörter\n".encode()
