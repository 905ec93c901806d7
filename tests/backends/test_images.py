"""What an image holds is enough for what runs in it, with Python's standard library alone."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from iolab.harness.backends.docker.images import CONTENTS
from iolab.harness.places import ROOT

MAIN = {
    "client": "iolab.client.agent, iolab.client.play, iolab.client.prompt",
    "probe": "iolab.harness.beside.probe.__main__, iolab.harness.beside.probe.limit",
}


@pytest.mark.parametrize("image", MAIN)
def test_an_image_lacks_nothing_that_is_imported_in_it(image: str, tmp_path: Path) -> None:
    for name in CONTENTS[image]:
        there = tmp_path / "iolab" / name
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, there)
        else:
            there.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, there)
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import {MAIN[image]}"
    words = [sys.executable, "-I", "-S", "-c", code]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("image", MAIN)
def test_a_dockerfile_copies_what_its_context_holds(image: str) -> None:
    lines = (ROOT / "docker" / f"{image}.Dockerfile").read_text(encoding="utf-8").splitlines()
    copied = [word for line in lines if line.startswith("COPY") for word in line.split()[1:-1]]
    sources = [word for word in copied if not word.startswith("--")]
    assert all(any(name.startswith(source) for source in sources) for name in CONTENTS[image])
