"""Fixtures: each model in turn, and servers that end with the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from iolab.server import models
from tests.server.running import Server


@pytest.fixture
def start() -> Iterator[Callable[..., Server]]:
    """Starts servers with the given flags, and ends them with the test."""
    servers: list[Server] = []

    def start_one(*flags: str, **options: Any) -> Server:
        servers.append(Server(*flags, **options))
        return servers[-1]

    yield start_one
    for server in servers:
        server.close()


@pytest.fixture(params=models.NAMES)
def model(request: pytest.FixtureRequest) -> str:
    """Each model in turn, skipped with its own words where it cannot run."""
    name: str = request.param
    why_not = models.load(name).unavailable()
    if why_not is not None:
        pytest.skip(why_not)
    return name


@pytest.fixture
def crowd_model(model: str) -> str:
    """Each model that can serve more than one client at a time."""
    if model == "blocking":
        pytest.skip("serves one client at a time by its nature")
    return model
