"""`python -m tests.gallery` from end to end, with one server."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.gallery.servers import GALLERY

PLAY = """
import sys
from pathlib import Path
from tests.gallery import __main__ as gallery

gallery.BROKEN, gallery.CONTROLS = [Path(sys.argv[1])], []
sys.exit(gallery.main(["--backend", "processes"]))
"""


def play(broken: Path) -> subprocess.CompletedProcess[str]:
    """The command, where this is the whole gallery."""
    return subprocess.run(
        [sys.executable, "-c", PLAY, str(broken)],
        cwd=GALLERY.parent,
        env={name: value for name, value in os.environ.items() if "IOLAB" not in name},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def server(tmp_path: Path) -> Path:
    """A server that forgets SO_REUSEADDR, in a gallery of its own."""
    for name in ("_common.py", "forgets_reuseaddr.py", "forgets_reuseaddr.toml"):
        shutil.copy(GALLERY / name, tmp_path)
    return tmp_path / "forgets_reuseaddr.py"


def expecting(server: Path, expected: str) -> Path:
    """The same server, whose manifest wants it to be caught so."""
    manifest = server.with_suffix(".toml")
    head = manifest.read_text().partition("[expected]")[0]
    manifest.write_text(f"{head}[expected]\n{expected}\n")
    return server


def test_a_bug_that_is_missed_is_status_1_and_told_by_name(server: Path) -> None:
    done = play(expecting(server, '"connect.one" = "reply: too late"'))
    assert done.returncode == 1
    told = "forgets_reuseaddr: connect.one: no 'reply: too late'; instead: connect.one: reply: OK"
    assert told in done.stdout.splitlines()
    assert "0 of 1 broken servers were caught" in done.stdout


def test_a_scenario_that_there_is_not_is_status_2(server: Path) -> None:
    done = play(expecting(server, '"connect.two" = "reply: too late"'))
    assert done.returncode == 2
    assert "'connect.two' is no playing of the catalogue" in done.stdout
