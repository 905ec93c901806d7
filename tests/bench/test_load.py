"""Both load clients count what was answered, and refuse a server that answers wrongly."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bench.contestants import CONTESTANTS, Contestant
from bench.errors import Failure
from bench.load.agent_client import AgentClient
from bench.load.c_client import CClient
from bench.load.shape import Client, Shape
from bench.serving import serving
from tests.bench.broken import LEAVER, LIAR


@pytest.fixture(params=["c", "agent"])
def client(request: pytest.FixtureRequest) -> Client:
    """Each of the two, on any core."""
    if request.param == "agent":
        return AgentClient(None)
    return CClient(request.getfixturevalue("programs"), None)


@pytest.mark.parametrize(
    "shape",
    [Shape(1), Shape(20, idle=30), Shape(5, lines=16), Shape(4, churn=True)],
    ids=["one", "idle", "batch", "churn"],
)
def test_what_was_answered_is_counted(client: Client, shape: Shape, tmp_path: Path) -> None:
    with (
        serving(CONTESTANTS["epoll"], tmp_path) as server,
        client(server, shape) as load,
    ):
        load.connect()
        sample = load.measure(0.02, 0.1)
    assert sample.messages >= shape.active * shape.lines
    assert sample.messages % shape.lines == 0
    assert sample.seconds >= 0.1
    assert sample.server_cpu_s > 0
    assert sample.client_cpu_s > 0


@pytest.mark.parametrize(("broken", "told"), [(LIAR, "differs|no more"), (LEAVER, "ended|no more")])
def test_a_wrong_server_is_refused(
    client: Client, broken: Contestant, told: str, tmp_path: Path
) -> None:
    with (
        serving(broken, tmp_path) as server,
        client(server, Shape(2)) as load,
        pytest.raises(Failure, match=told),
    ):
        load.connect()


def test_a_server_that_does_not_start_is_told_with_its_last_words(tmp_path: Path) -> None:
    command = (sys.executable, "-c", "raise SystemExit('no room')")
    broken = Contestant("broken", "broken", command)
    with pytest.raises(Failure, match="broken does not listen: no room"):
        serving(broken, tmp_path).__enter__()
