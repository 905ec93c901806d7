"""Which processes are the subject's.

There are two ways for a subject to come to life, and they may mix:

* The probe spawned it. Then the subject is every descendant of the probe, but for its helpers. The
  probe is a subreaper (prctl(2), PR_SET_CHILD_SUBREAPER), so a descendant whose parents have died
  becomes the probe's own child and stays a descendant, daemons by double fork included. What is
  spawned gets a session of its own, and nobody can join another's session (setsid(2)): so the
  helpers, such as the wire's iptables, are the children that share the probe's session.
* An engine started it in the probe's PID namespace. Then it is every process that was not there
  when `mark` was said and that lives in another mount namespace than the probe. The second part
  leaves out what the engine executes in the probe's own node: helpers, not the subject.
"""

from __future__ import annotations

import os

from iolab.harness.beside.probe import processes
from iolab.harness.beside.probe.processes import Stat


class SubjectProcesses:
    """Tells the subject's processes from all others."""

    def __init__(self) -> None:
        self.seen = False  # any process of the subject, since `mark`
        self.main_seen = False
        self._spawned: list[int] = []
        self._before: frozenset[tuple[int, int]] | None = None
        self._session = os.getsid(0)
        self._mount = os.readlink("/proc/self/ns/mnt")
        self._beside: set[tuple[int, int]] = set()  # seen in the probe's own mount namespace

    def mark(self) -> None:
        """From now on, what newly appears in the PID namespace is the subject.

        Said again, before a restart, it leaves what is the subject already: children that outlived
        their main process do not slip out of sight.
        """
        ours = {one.identity for one in self.look()}
        self._before = frozenset(one.identity for one in processes.every()) - ours
        self.seen = bool(ours)
        self.main_seen = False

    def spawned(self, pid: int) -> None:
        """The probe started this child as the subject, or as one more process of it."""
        self._spawned.append(pid)
        self.seen = self.main_seen = True

    def reaped(self, pid: int) -> None:
        """A child of the probe is gone; its number may come again."""
        if pid in self._spawned:
            self._spawned.remove(pid)

    def is_helper(self, one: Stat) -> bool:
        """Did the probe start this process for its own work?"""
        return one.ppid == os.getpid() and one.session == self._session

    def look(self) -> list[Stat]:
        """The subject's processes now, by number, zombies included."""
        everyone = {found.pid: found for found in processes.every()}
        ours = self.descendants(everyone)
        if self._before is not None:
            for found in everyone.values():
                if found.pid not in ours and self._appeared(found):
                    ours[found.pid] = found
            self._beside &= {found.identity for found in everyone.values()}
        self.seen = self.seen or bool(ours)
        self.main_seen = self.main_seen or self.main(ours) is not None
        return [ours[pid] for pid in sorted(ours)]

    def main(self, ours: dict[int, Stat]) -> Stat | None:
        """The main process among `ours`, or None when it is dead or was never there.

        The first of the spawned ones that still lives. Otherwise the first process whose parent is
        neither of the subject nor a reaper: a child that outlived the main process stays a child.
        """
        living = {pid: found for pid, found in ours.items() if found.state not in processes.DEAD}
        for pid in self._spawned:
            if pid in living:
                return living[pid]
        reapers = (1, os.getpid())
        roots = [one for one in living.values() if one.ppid not in ours and one.ppid not in reapers]
        return min(roots, key=lambda one: (one.start, one.pid), default=None)

    def descendants(self, everyone: dict[int, Stat]) -> dict[int, Stat]:
        """Those of `everyone` that descend from the probe, but for its helpers."""
        children: dict[int, list[Stat]] = {}
        for found in everyone.values():
            children.setdefault(found.ppid, []).append(found)
        ours: dict[int, Stat] = {}
        parents = [os.getpid()]
        while parents:
            for child in children.get(parents.pop(), ()):
                if not self.is_helper(child):
                    ours[child.pid] = child
                    parents.append(child.pid)
        return ours

    def _appeared(self, found: Stat) -> bool:
        if found.pid == os.getpid():
            return False
        if self._before is None or found.identity in self._before:
            return False
        try:
            beside = os.readlink(f"/proc/{found.pid}/ns/mnt") == self._mount
        except OSError:  # a zombie, which has no namespaces any more, or one that hides them
            beside = found.identity in self._beside
        if beside:
            self._beside.add(found.identity)
        return not beside
