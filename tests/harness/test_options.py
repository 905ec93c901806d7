"""Wrong input ends a run in one line, quickly, and before anything has been started."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from iolab.harness.places import ROOT
from iolab.harness.scenarios.catalogue import load_catalogue
from iolab.harness.scenarios.scenario import CATALOGUE

# Generous on a busy machine; no lab starts in less than an image takes to be looked for.
QUICK_S = 20.0


def run(*options: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "pytest", "harness/", "-q", "-p", "no:cacheprovider", *options]
    begun = time.monotonic()
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert time.monotonic() - begun < QUICK_S
    return done


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (
            ["--backend", "nope"],
            "--backend: must be one of auto, docker, namespaces, processes, not 'nope'",
        ),
        (["--model", "nope"], "--model: must be one of asyncio, blocking, epoll, "),
        (["--model", "select", "--model", "../select"], "--model: must be one of asyncio, "),
        (["--ip", "5"], "--ip: must be one of 4, 6, both, not '5'"),
        (["--only", "epoll:connect.one"], "--only: must begin with a subject of this run, not "),
        (["--only", "select:connect.two"], "--only: 'connect.two' is no playing of the catalogue"),
        (["--only", "select:connect.one/9"], "--only: 'connect.one/9' is no playing of the cata"),
        (["--scale", "x"], "--scale: must be one of quick, normal, heavy, not 'x'"),
        (["--results", "no/x.json"], "--results: must be a file in a folder that is there, not "),
        (["--results", "docs"], "--results: must be a file in a folder that is there, not 'docs'"),
        (["--subject", "no.toml"], "no.toml: cannot be read: No such file or directory"),
        (["--subject", "README.md"], "README.md: not valid TOML: "),
        (["--subject", "pyproject.toml"], "pyproject.toml: build-system: is not a field; known "),
        (
            ["--model", "select", "--subject", "subjects/select.toml"],
            "--subject: two subjects are named 'select'",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_wrong_option_is_one_line_and_status_2(options: list[str], told: str) -> None:
    done = run("--collect-only", *options)
    assert done.returncode == 2
    [line] = [line for line in (done.stdout + done.stderr).splitlines() if line]
    assert line.startswith(f"iolab: {told}")


def test_the_same_without_collect_only() -> None:
    done = run("--scale", "x")
    assert done.returncode == 2
    assert done.stdout.startswith("iolab: --scale: must be one of")


def test_a_subject_with_a_wrong_field(tmp_path: Path) -> None:
    manifest = tmp_path / "mine.toml"
    manifest.write_text('name = "mine"\nport = 9000\ncommand = "server"\n')
    done = run("--collect-only", "--subject", str(manifest))
    assert done.returncode == 2
    assert done.stdout.splitlines() == [
        f"iolab: {manifest}: command: must be a list of words, like ['server'], not 'server'"
    ]


def test_list_prints_every_scenario_in_order() -> None:
    done = run("--list")
    assert done.returncode == 0
    load_catalogue()
    assert [line.split()[0] for line in done.stdout.splitlines()] == list(CATALOGUE)
    assert all(entry.title in done.stdout for entry in CATALOGUE.values())


def test_each_subject_and_family_is_a_playing_of_its_own() -> None:
    chosen = ["--model", "select", "--model", "poll", "--ip", "both", "-k", "connect.one"]
    done = run("--collect-only", *chosen)
    assert done.returncode == 0
    found = [line for line in done.stdout.splitlines() if "::" in line]
    assert len(found) == 4
    for subject in ("select", "poll"):
        for family in (4, 6):
            assert any(f"connect.one-{subject}-ipv{family}" in line for line in found)


WITHOUT_IPV6 = """
import sys, pytest
from iolab.harness.backends.processes import ports
ports.why_no_ipv6 = lambda: "it is switched off"
sys.exit(pytest.main(["harness/", "-q", "--backend", "processes", "--ip", "both"]))
"""


def test_ipv6_where_there_is_none_is_told_before_anything_is_played() -> None:
    words = [sys.executable, "-c", WITHOUT_IPV6]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout.splitlines() == [
        "backend: processes (as asked)",
        "iolab: --ip: must be 4 with the backend processes here: it is switched off",
    ]


def test_no_more_workers_start_than_there_are_playings() -> None:
    options = ["--backend", "processes", "-k", "reply.empty", "-p", "no:cacheprovider"]
    words = [sys.executable, "-m", "pytest", "harness/", "--model", "select", "--model", "poll"]
    done = subprocess.run([*words, *options], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "created: 2/2 workers" in done.stdout


def test_a_choice_of_nothing_is_told() -> None:
    done = run("--backend", "processes", "-n0", "-k", "no-such-scenario")
    assert done.returncode == 2, done.stdout
    assert "iolab: -k: chooses nothing of the catalogue; " in done.stdout
