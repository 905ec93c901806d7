"""A stage on the best backend that needs no engine, for tests that play real scenarios."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from iolab.harness.backends import choose, identity
from iolab.harness.backends.base import Backend, BackendUnavailable
from iolab.harness.run.stage import Stage


@pytest.fixture(scope="module")
def backend() -> Iterator[Backend]:
    """`namespaces` where they are allowed; else `processes`, which have no wire and no cable."""
    for name in ("namespaces", "processes"):
        backend = choose.backend(name, identity.new_id())
        try:
            backend.check()
        except BackendUnavailable as reason:
            print(f"not {name}: {reason}")
            continue
        break
    else:
        pytest.skip("no backend works here without an engine")
    try:
        backend.prepare()
        yield backend
    finally:
        backend.close()


@pytest.fixture
def stage(backend: Backend, tmp_path: Path) -> Stage:
    """Where a test plays; its observations are the test's own."""
    return Stage(backend, tmp_path)
