"""What may be UNSUPPORTED because of the backend, and nothing else."""

from __future__ import annotations

from harness.backends.declared import NAMESPACES, PROCESSES
from harness.pages import load_catalogue
from harness.scenario import CATALOGUE

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


def lacking(needs: object) -> set[str]:
    """The scenarios that need one of these."""
    load_catalogue()
    assert isinstance(needs, dict)
    return {entry.id for entry in CATALOGUE.values() if set(entry.needs) & set(needs)}


def test_processes_leave_out_only_what_they_said_they_would() -> None:
    never = lacking(PROCESSES.absent)
    assert not never & PLAYED_ALL_THE_SAME
    others = {id for id in never if not id.startswith(WHOLE_CATEGORIES)}
    assert others <= ALLOWED_ON_PROCESSES


def test_rootless_namespaces_leave_out_only_what_needs_a_control_group() -> None:
    without_groups = {
        need: reason
        for need, reason in NAMESPACES.conditions.items()
        if need in ("memory-limit", "cpu-limit")
    }
    assert set(NAMESPACES.conditions) - set(without_groups) == {"wire"}  # the package iptables
    assert lacking(without_groups) <= NEEDS_A_GROUP
    assert not NAMESPACES.absent
