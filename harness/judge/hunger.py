"""Hunger: the subject wants to run, and others have the CPUs."""

from __future__ import annotations

from iolab.harness.judge.scene import Record, Scene


def hunger(scene: Scene, begin: float, took: float) -> float:
    """For which share of a wait the subject would have run, had others not had the CPUs.

    As it was between the probe's two looks at who keeps a client waiting. All its processes count
    together, those that were born meanwhile too: one that forks waits for its child, and the child
    for a CPU. Of more than one CPU that they want together, the share counts that they did not get.
    """
    looks = [s for s in scene.snapshots if begin < s["t"] < begin + took]
    if len(looks) < 2:
        return 0.0
    return between(min(looks, key=_when), max(looks, key=_when))


def between(first: Record, last: Record) -> float:
    """The same between two snapshots."""
    elapsed = _when(last) - _when(first)
    before = {process["pid"]: process for process in first["processes"]}
    queued = ran = 0.0
    for process in last["processes"]:
        was = before.get(process["pid"], {})
        queued += _seconds(process, "queued_s") - _seconds(was, "queued_s")
        ran += _seconds(process, "cpu_s") - _seconds(was, "cpu_s")
    return queued / max(queued + ran, elapsed) if elapsed > 0 else 0.0


def _when(snapshot: Record) -> float:
    return float(snapshot["t"])


def _seconds(process: Record, name: str) -> float:
    """0 where it could not be read."""
    value = process.get(name)
    return value if isinstance(value, float) else 0.0
