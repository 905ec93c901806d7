"""The backends that this machine allows, each prepared once for all tests of a module."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

import pytest

from iolab.harness.backends import choose, identity
from iolab.harness.backends.base import Backend, BackendUnavailable, LabNodes
from tests.backends.subjects import ECHO


def usable(name: str, run_id: str) -> Backend:
    """The backend, found to work here; else the test is skipped, or fails when it is required."""
    backend = choose.backend(name, run_id)
    try:
        backend.check()
    except BackendUnavailable as reason:
        if name == "docker" and os.environ.get("IOLAB_REQUIRE_DOCKER") == "1":
            pytest.fail(str(reason))
        pytest.skip(str(reason))
    return backend


def left_by(name: str, run_id: str) -> Sequence[str]:
    """What the run still owns, as another process sees it."""
    onlooker = choose.backend(name, run_id)
    try:
        return onlooker.leftovers()
    finally:
        onlooker.close_labs()


@pytest.fixture(scope="module", params=choose.BACKENDS)
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    """A prepared backend, whose run leaves nothing behind."""
    backend = usable(request.param, identity.new_id())
    try:
        backend.prepare()
        yield backend
    finally:
        backend.close()
    assert not left_by(request.param, backend.run_id)


@pytest.fixture
def lab(backend: Backend) -> Iterator[LabNodes]:
    """A lab whose subject is an echo server."""
    lab = backend.open_lab(ECHO)
    yield lab
    lab.close()
