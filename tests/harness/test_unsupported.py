"""What a scenario asks of a subject's promises before it is played."""

from __future__ import annotations

import pytest

from iolab.harness.scenarios.catalogue import load_catalogue
from iolab.harness.scenarios.scenario import CATALOGUE
from iolab.harness.subject.manifest import Promises


@pytest.fixture(autouse=True)
def _catalogue() -> None:
    load_catalogue()


def why_not(id: str, crowd: int, **promises: float) -> str | None:
    return CATALOGUE[id].unsupported(Promises(**promises), {}, crowd)  # type: ignore[arg-type]


def test_ten_thousand_come_only_to_whoever_promises_a_number() -> None:
    crowd = 10_000
    told = why_not("connect.concurrent", crowd)
    assert told == "10000 clients come only to whoever promises max_connections"
    assert why_not("connect.concurrent", crowd, max_connections=20_000) is None


def test_fewer_come_to_everybody() -> None:
    assert why_not("connect.concurrent", 900) is None


def test_a_crowd_does_not_come_to_whoever_times_out_the_first_before_the_last_is_there() -> None:
    told = why_not("connect.concurrent", 10_000, max_connections=20_000, idle_timeout_s=0.1)
    assert told is not None
    assert told.endswith("idle_timeout_s = 0.1")
