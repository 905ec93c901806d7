"""The blog's server against the harness: which scenarios catch it, and with which evidence."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.gallery.servers import GALLERY

Found = dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Found:
    """What the harness found in the server, by scenario."""
    results = tmp_path_factory.mktemp("seed") / "results.json"
    words = [sys.executable, "-m", "pytest", "harness/", "-q", "-n", "2"]
    words += ["--backend", os.environ.get("IOLAB_GALLERY", "auto"), "--results", str(results)]
    words += ["--subject", str(GALLERY / "blog_select.toml")]
    words += ["-k", "utf8-split or never-reader or fin-idle"]
    run = subprocess.run(words, cwd=GALLERY.parent, capture_output=True, text=True, check=False)
    assert run.returncode == 1, run.stdout[-3000:]
    return _by_scenario(results)


def _by_scenario(results: Path) -> Found:
    return {record["scenario"]: record["findings"] for record in json.loads(results.read_text())}


def _evidence(findings: list[dict[str, Any]], side: str) -> str:
    failed = [f for f in findings if f["side"] == side and f["level"] == "FAILED"]
    return "\n".join(line for f in failed for line in (f["cause"], f["summary"], *f["evidence"]))


def test_a_split_character_ends_it(found: Found) -> None:
    evidence = _evidence(found["reply.utf8-split"], "reply")
    assert "died" in evidence
    assert "UnicodeDecodeError" in evidence


def test_a_client_that_never_reads_stalls_all_others(found: Found) -> None:
    evidence = _evidence(found["slow.never-reader"], "reply")
    assert "a healthy client waited" in evidence
    assert "sendto" in evidence
    assert "the connection of never-reader#" in evidence


def test_it_leaves_close_wait_sockets_by_count(found: Found) -> None:
    evidence = _evidence(found["disconnect.fin-idle"], "cleanup")
    assert "8 of 8 dead connections were not removed" in evidence
    assert "CLOSE-WAIT in the server's kernel" in evidence
