"""The fixture that starts servers and ends them with the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

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
