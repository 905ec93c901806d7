"""A probe for each test, which must end without a word on standard error."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.probe.driver import Driver


@pytest.fixture
def probe() -> Iterator[Driver]:
    """A running probe."""
    driver = Driver()
    try:
        yield driver
    finally:
        said = driver.close()
    assert said == ""
