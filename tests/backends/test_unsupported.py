"""What may be UNSUPPORTED because of the backend, and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from iolab.harness.backends.declared import NAMESPACES, PROCESSES

ROOT = Path(__file__).parents[2]

# In a process of its own: here, the scenarios would be tests with a marker that is not declared.
LIST = """
import json
from iolab.harness.scenarios.catalogue import load_catalogue
from iolab.harness.scenarios.scenario import CATALOGUE
load_catalogue()
print(json.dumps({entry.id: entry.needs for entry in CATALOGUE.values()}))
"""

# From the promise to users: everything else is played in earnest.
ALLOWED_ON_PROCESSES = {
    "connect.same-tuple",
    "connect.syn-flood",
    "resource.starved",
    "resource.memory-limit",
}
WHOLE_CATEGORIES = ("vanish.", "network.")
PLAYED_ALL_THE_SAME = {"vanish.frozen", "vanish.zero-window", "network.small-segments"}

NEEDS_A_GROUP = {"resource.starved", "resource.memory-limit"}


@pytest.fixture(scope="module")
def needs_of() -> dict[str, list[str]]:
    """What each scenario needs."""
    said = subprocess.run(
        [sys.executable, "-c", LIST], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return dict(json.loads(said.stdout))


def test_processes_leave_out_only_what_they_said_they_would(
    needs_of: dict[str, list[str]],
) -> None:
    never = {id for id, needs in needs_of.items() if set(needs) & set(PROCESSES.absent)}
    assert not never & PLAYED_ALL_THE_SAME
    others = {id for id in never if not id.startswith(WHOLE_CATEGORIES)}
    assert others <= ALLOWED_ON_PROCESSES


def test_rootless_namespaces_leave_out_only_what_needs_a_control_group(
    needs_of: dict[str, list[str]],
) -> None:
    limits = {"memory-limit", "cpu-limit"}
    assert set(NAMESPACES.conditions) == {"wire", *limits}  # the wire takes a package, no right
    assert not NAMESPACES.absent
    assert {id for id, needs in needs_of.items() if set(needs) & limits} <= NEEDS_A_GROUP
