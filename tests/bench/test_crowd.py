"""A crowd, made small: all are held and answered twice, or it does not count."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from bench.contestants import CONTESTANTS
from bench.crowd import PARTS, gather
from bench.errors import Failure
from iolab.harness.backends.namespaces.network import Network
from iolab.harness.backends.namespaces.steps import StepFailed
from tests.bench.broken import LEAVES_AT_THE_SECOND


@pytest.fixture(autouse=True)
def network() -> None:
    """Skips, with the step that failed, where networks cannot be made."""
    try:
        with contextlib.closing(Network()):
            pass
    except StepFailed as failure:
        pytest.skip(str(failure))


def test_all_are_connected_and_answered(tmp_path: Path) -> None:
    sample, others = gather(CONTESTANTS["epoll"], tmp_path, connections=31)
    assert sample.messages == 33  # as many from each agent
    assert sample.messages % PARTS == 0
    assert 0 < sample.seconds < 60
    assert others >= 0


def test_who_is_not_answered_while_all_are_held_is_missed(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="broken: crowd: echoed: 0 of 2"):
        gather(LEAVES_AT_THE_SECOND, tmp_path, connections=6)


def test_more_than_the_descriptors_allow_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(Failure, match=r"may hold \d+ descriptors here, and needs 10000000"):
        gather(CONTESTANTS["epoll"], tmp_path, connections=30_000_000)
