"""A plugin of pytest for `iolab test MANIFEST…`: what stands by itself is a manifest.

What is collected is always the catalogue. It is loaded by name, in the workers too.
"""

from __future__ import annotations

import pytest

from iolab.harness.places import ROOT


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    config.option.subject = [*config.option.subject, *config.option.file_or_dir]
    config.args = [str(ROOT / "harness")]
