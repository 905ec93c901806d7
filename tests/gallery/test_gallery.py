"""The harness against the gallery: each bug caught by its own scenario, no correct server blamed.

This takes minutes, so it is skipped in a run of all tests. Name the file, or a backend:

    pytest tests/gallery/test_gallery.py -k forgets
    IOLAB_GALLERY=namespaces pytest tests
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from iolab.harness.subject.manifest import Subject, load
from tests.gallery.servers import BROKEN, CONTROLS, GALLERY

ROOT = GALLERY.parent
BACKEND = "IOLAB_GALLERY"
Record = dict[str, Any]


def _name(script: Path) -> str:
    return script.stem


def _manifest(script: Path) -> Path:
    return script.with_suffix(".toml")


class Plays:
    """What the harness found, of all subjects at once: played when the first test asks."""

    def __init__(self, folder: Path, subjects: list[Path], only: str | None) -> None:
        self.folder, self.subjects, self.only = folder, subjects, only
        self.records: list[Record] | None = None

    def of(self, subject: Subject) -> list[Record]:
        if self.records is None:
            self.records = self._play()
        return [record for record in self.records if record["subject"] == subject.name]

    def _play(self) -> list[Record]:
        results = self.folder / "results.json"
        words = [sys.executable, "-m", "pytest", "harness/", "-q"]
        words += ["--backend", os.environ.get(BACKEND, "auto"), "--results", str(results)]
        for manifest in self.subjects:
            words += ["--subject", str(manifest)]
        if self.only:
            words += ["-k", self.only]
        run = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
        if not results.exists():
            pytest.fail(f"the harness did not run:\n{run.stdout[-2000:]}{run.stderr[-2000:]}")
        records: list[Record] = json.loads(results.read_text())["results"]
        return records


def _asked_for(request: pytest.FixtureRequest, test: str) -> list[Path]:
    """The manifests of the tests that were collected, so that -k spares the others."""
    scripts = [
        item.callspec.params["script"]
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.originalname == test
    ]
    return [_manifest(script) for script in scripts if isinstance(script, Path)]


@pytest.fixture(scope="module", autouse=True)
def _wanted(request: pytest.FixtureRequest) -> None:
    named = any(Path(__file__).name in arg for arg in request.config.invocation_params.args)
    if not named and BACKEND not in os.environ:
        pytest.skip(f"plays for minutes: name this file, or set {BACKEND} to a backend")


@pytest.fixture(scope="module")
def broken(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Plays:
    subjects = _asked_for(request, "test_is_caught")
    only = [
        f"({scenario}{end} and {manifest.stem}-ipv4)"
        for manifest in subjects
        for scenario in load(manifest).expected
        for end in "-/"
    ]
    # A bug that shows among a hundred needs no thousands.
    chosen = f"({' or '.join(only)}) and not /900 and not /10000"
    return Plays(tmp_path_factory.mktemp("broken"), subjects, chosen)


@pytest.fixture(scope="module")
def controls(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Plays:
    subjects = _asked_for(request, "test_is_not_blamed")
    return Plays(tmp_path_factory.mktemp("controls"), subjects, None)


@pytest.mark.parametrize("script", BROKEN, ids=_name)
def test_is_caught(script: Path, broken: Plays) -> None:
    subject = load(_manifest(script))
    records = broken.of(subject)
    for scenario, found in subject.expected.items():
        side, _, words = found.partition(": ")
        played = [r for r in records if re.split("[/ ]", r["scenario"])[0] == scenario]
        assert played, f"{scenario} was not played"
        if all(record[side] == "UNSUPPORTED" for record in played):
            pytest.skip(f"{scenario}: {played[0]['reason']}")
        told = [_failures(record, side) for record in played if record[side] == "FAILED"]
        seen = "\n".join(told) or ", ".join(f"{r['scenario']}: {r[side]}" for r in played)
        assert any(re.search(words, text) for text in told), f"{scenario}: no {words!r} in: {seen}"


@pytest.mark.parametrize("script", CONTROLS, ids=_name)
def test_is_not_blamed(script: Path, controls: Plays) -> None:
    records = controls.of(load(_manifest(script)))
    assert any(record["reply"] == "OK" for record in records)
    blamed = [
        f"{record['scenario']}: {side}: {record[side]}\n{_failures(record, side)}"
        for record in records
        for side in ("reply", "cleanup")
        if record[side] in ("FAILED", "UNKNOWN")
    ]
    assert not blamed, "\n".join(blamed)


def _failures(record: Record, side: str) -> str:
    """The findings of one verdict, with their evidence, as one text."""
    return "\n".join(
        "\n".join((finding["cause"], finding["summary"], *finding["evidence"]))
        for finding in record.get("findings", ())
        if finding["side"] == side and finding["level"] in ("FAILED", "UNKNOWN")
    )
