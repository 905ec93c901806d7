"""The benchmark from end to end, in a hurry."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

from iolab.harness.places import ROOT
from tests.waiting import is_empty, wait_until


def servers_of(pid: int) -> list[int]:
    """The benchmark's children that have become a Python server."""
    found = []
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        with contextlib.suppress(OSError):
            if b"server" in Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0"):
                found.append(int(child))
    return found


def test_a_quick_run_tells_and_keeps_its_figures(tmp_path: Path) -> None:
    kept = tmp_path / "figures.json"
    only = ("lines-10", "batch-16", "epoll", "asyncio-protocol", "asyncio-streams")
    words = [sys.executable, "-m", "bench", "--quick", "--only", *only, "--json", str(kept)]
    before = (ROOT / "docs").stat().st_mtime_ns
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "epoll ÷ asyncio Protocol, 10 clients" in done.stdout
    said = json.loads(kept.read_text())
    measured = {
        (group["name"], entry["name"]): entry
        for group in said["groups"]
        for entry in group["entries"]
    }
    assert set(measured) == {
        ("lines-10", "epoll"),
        ("lines-10", "asyncio-protocol"),
        ("batch-16", "epoll"),
        ("batch-16", "asyncio-streams"),
    }
    for entry in measured.values():
        assert entry["absent"] is None
        assert len(entry["measured"]) == 1
        assert entry["measured"][0]["messages"] > 0
    assert (ROOT / "docs").stat().st_mtime_ns == before


def test_nothing_outlives_a_run_that_is_killed(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "bench", "--rounds", "50", "--only", "lines-10", "epoll"]
    run = subprocess.Popen(
        words, cwd=ROOT, env={**os.environ, "TMPDIR": str(tmp_path)}, stdout=subprocess.DEVNULL
    )
    try:
        started = wait_until("a server", lambda: servers_of(run.pid))
    finally:
        run.kill()
        run.wait()
    wait_until(
        "their end",
        lambda: [pid for pid in started if Path(f"/proc/{pid}").exists()],
        holds=is_empty,
    )
