"""No file of ours is loaded under two names: there would be two catalogues, two of each error."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from iolab.harness.places import ROOT

# Runs `python -m` with what follows, and tells at its end which names each of our files has.
WATCHED = """
import atexit, json, os, runpy, sys

def tell():
    names = {}
    for name, module in list(sys.modules.items()):
        path = os.path.realpath(getattr(module, "__file__", None) or "")
        if path.startswith(root + os.sep) and os.sep + "site-packages" + os.sep not in path:
            names.setdefault(path, []).append(name)
    with open(told, "w") as file:
        json.dump(names, file)

told, root, module, *arguments = sys.argv[1:]
sys.argv = [module, *arguments]
sys.path[0] = os.getcwd()  # as `python -m` has it
atexit.register(tell)
runpy.run_module(module, run_name="__main__", alter_sys=True)
"""

PROCESSES = [
    "pytest harness/ --list",
    "pytest harness/ -n 0 -p no:cacheprovider --backend processes -k connect.one",
    "iolab list",
    "iolab test -n 0 --backend processes -k connect.one",
    "iolab judge nowhere",
    "iolab serve --model auto --port nowhere",
    "iolab play steady nowhere nowhere",
    "server --help",
    "server --model auto --host nowhere",
    "client --help",
    "client agent",
    "iolab.client agent",
    "iolab.harness.beside.probe",
]


@pytest.mark.parametrize("command", PROCESSES)
def test_each_file_has_one_name(command: str, tmp_path: Path) -> None:
    told = tmp_path / "names.json"
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, str(told), str(ROOT), *command.split()],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if "IOLAB" not in name},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    names: dict[str, list[str]] = json.loads(told.read_text())
    assert len(names) > 1, done.stderr
    assert {path: known for path, known in names.items() if len(known) > 1} == {}
