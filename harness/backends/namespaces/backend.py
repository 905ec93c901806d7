"""The backend `namespaces`: see `holder.py` for how it works."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Mapping, Sequence

from iolab.harness.backends import identity
from iolab.harness.backends.base import Backend, BackendUnavailable, Family
from iolab.harness.backends.local.bytecode import compile_project
from iolab.harness.backends.local.holder import (
    Holder,
    HolderRefused,
    await_end_of,
    label,
    processes_of,
    run_of,
)
from iolab.harness.backends.local.subject import require_command
from iolab.harness.backends.namespaces import cgroup, trial
from iolab.harness.backends.namespaces.lab import NamespaceLab
from iolab.harness.subject.manifest import Subject

_HOLDER = "iolab.harness.backends.namespaces.holder"
_IPTABLES = ("iptables-restore", "iptables-nft-restore", "iptables-legacy-restore")


def sweep() -> Sequence[str]:
    """Remove the control groups of dead runs, which alone may outlive one; says which."""
    dead = [path for path in cgroup.named("iolab.") if identity.alive(run_of(path.name)) is False]
    for path in dead:
        path.rmdir()
    return [f"control group {path}" for path in dead]


class Namespaces(Backend):
    """Makes labs of namespaces, through one holder that is started when it is first needed."""

    name = "namespaces"

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self._holder_if_any: Holder | None = None
        self._numbers = itertools.count(1)
        self._homes, self._no_groups = cgroup.usable()

    def check(self) -> None:
        # The trial is a lab, and so takes the steps of one; only the subject is left out.
        try:
            trial.run(self._holder(), next(self._numbers))
        except HolderRefused as refusal:
            raise BackendUnavailable(str(refusal)) from None
        finally:
            self.close_labs()

    def prepare(self) -> None:
        compile_project()
        sweep()

    def missing(self) -> Mapping[str, str]:
        lacks = {f"{controller}-limit": reason for controller, reason in self._no_groups.items()}
        where = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
        if not any(shutil.which(program, path=where) for program in _IPTABLES):
            lacks["wire"] = "iptables is not installed: the wire needs the package iptables"
        return lacks

    def open_lab(self, subject: Subject, families: Sequence[Family] = (4,)) -> NamespaceLab:
        require_command(subject, self.name)
        number = next(self._numbers)
        holder = self._holder()
        groups = cgroup.Groups(f"{holder.label}.{number}", self._homes)
        return NamespaceLab(holder, number, subject, families, groups)

    def close_labs(self) -> None:
        if self._holder_if_any is not None:
            self._holder_if_any.close()
            self._holder_if_any = None

    def leftovers(self) -> Sequence[str]:
        left = [f"process {pid}: {line}" for pid, line in processes_of(self.run_id).items()]
        return left + [f"control group {path}" for path in cgroup.named(label(self.run_id))]

    def close(self) -> None:
        # Holders of workers that were killed are ending by themselves.
        self.close_labs()
        await_end_of(self.run_id)
        cgroup.remove(label(self.run_id))

    def _holder(self) -> Holder:
        if self._holder_if_any is None:
            self._holder_if_any = Holder(_HOLDER, self.run_id)
        return self._holder_if_any
