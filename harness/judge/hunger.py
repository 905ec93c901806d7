"""Hunger: the subject wants to run, and others have the CPUs."""

from __future__ import annotations

from iolab.harness.judge.scene import Scene
from iolab.harness.record.probe import Snapshot


def hunger(scene: Scene, begin: float, took: float) -> float:
    """For which share of a wait the subject would have run, had others not had the CPUs.

    As it was between the probe's two looks at who keeps a client waiting. All its processes count
    together, those that were born meanwhile too: one that forks waits for its child, and the child
    for a CPU. Of more than one CPU that they want together, the share counts that they did not get.
    """
    looks = [one for one in scene.snapshots if begin < one.t < begin + took]
    if len(looks) < 2:
        return 0.0
    return between(min(looks, key=_when), max(looks, key=_when))


def between(first: Snapshot, last: Snapshot) -> float:
    """The same between two snapshots."""
    elapsed = last.t - first.t
    before = {process.pid: process for process in first.processes}
    queued = ran = 0.0
    for process in last.processes:
        was = before.get(process.pid)
        queued += process.waited_s - (was.waited_s if was else 0.0)
        ran += process.ran_s - (was.ran_s if was else 0.0)
    return queued / max(queued + ran, elapsed) if elapsed > 0 else 0.0


def _when(snapshot: Snapshot) -> float:
    return snapshot.t
