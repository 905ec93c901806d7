"""The blog's server against the harness: which scenarios catch it, and with which evidence."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from iolab.harness.judge import Level
from iolab.harness.report import results
from tests.gallery.servers import GALLERY

Found = dict[str, tuple[results.Finding, ...]]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Found:
    """What the harness found in the server, by scenario."""
    path = tmp_path_factory.mktemp("seed") / "results.json"
    words = [sys.executable, "-m", "pytest", "harness/", "-q", "-n", "2"]
    words += ["--backend", os.environ.get("IOLAB_GALLERY", "auto"), "--results", str(path)]
    words += ["--subject", str(GALLERY / "blog_select.toml")]
    words += ["-k", "utf8-split or never-reader or fin-idle"]
    run = subprocess.run(words, cwd=GALLERY.parent, capture_output=True, text=True, check=False)
    assert run.returncode == 1, run.stdout[-3000:]
    return {one.scenario: one.findings for one in results.read(path).results}


def _evidence(findings: tuple[results.Finding, ...], side: str) -> str:
    failed = [f for f in findings if f.side == side and f.level is Level.FAILED]
    return "\n".join(line for f in failed for line in (f.cause, f.summary, *f.evidence))


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
