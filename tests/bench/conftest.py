"""Fixtures: the C programs, and each contestant in turn."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.compile import compile_into
from bench.contestants import C_SERVER, CONTESTANTS, Contestant
from bench.serving import Server, serving


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the C programs; skipped with the reason where they cannot be compiled."""
    folder = tmp_path_factory.mktemp("programs")
    why_not = compile_into(folder)
    if why_not is not None:
        pytest.skip(why_not)
    return folder


@pytest.fixture(params=CONTESTANTS)
def contestant(request: pytest.FixtureRequest) -> Contestant:
    """Each contestant, skipped with its own words where it cannot run."""
    found = CONTESTANTS[request.param]
    why_not = found.absent()
    if why_not is not None:
        pytest.skip(why_not)
    return found


@pytest.fixture
def server(
    contestant: Contestant, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Server]:
    """A contestant that listens."""
    in_c = contestant.name == C_SERVER
    folder = request.getfixturevalue("programs") if in_c else tmp_path
    with serving(contestant, folder) as started:
        yield started
