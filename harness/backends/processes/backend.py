"""The backend `processes`: see `holder.py` for how it works."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

from iolab.harness.backends.base import Backend, BackendUnavailable, Family
from iolab.harness.backends.declared import PROCESSES
from iolab.harness.backends.local.bytecode import compile_project
from iolab.harness.backends.local.holder import Holder, HolderRefused, await_end_of, processes_of
from iolab.harness.backends.local.subject import require_command
from iolab.harness.backends.processes import ports
from iolab.harness.backends.processes.lab import ProcessLab
from iolab.harness.subject.manifest import Subject

_HOLDER = "iolab.harness.backends.processes.holder"


class Processes(Backend):
    """Makes labs of processes, through one holder that is started when it is first needed."""

    name = "processes"

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self._holder_if_any: Holder | None = None
        self._numbers = itertools.count(1)
        self._turns = itertools.count(ports.first_turn())

    def check(self) -> None:
        try:
            self._holder()
        except HolderRefused as refusal:
            raise BackendUnavailable(str(refusal)) from None
        finally:
            self.close_labs()

    def prepare(self) -> None:
        # There is nothing to sweep: whatever a run has here ends with its processes.
        compile_project()

    def missing(self) -> Mapping[str, str]:
        return PROCESSES.absent

    def why_no_ipv6(self) -> str | None:
        return ports.why_no_ipv6()

    def open_lab(self, subject: Subject, families: Sequence[Family] = (4,)) -> ProcessLab:
        require_command(subject, self.name)
        with self._port(subject) as port:  # the holder has it from then on
            return ProcessLab(self._holder(), next(self._numbers), subject, families, port)

    def _port(self, subject: Subject) -> ports.Reservation:
        if subject.takes_any_port:
            return ports.reserve_any(next(self._turns))
        return ports.reserve(subject.port)

    def close_labs(self) -> None:
        if self._holder_if_any is not None:
            self._holder_if_any.close()
            self._holder_if_any = None

    def leftovers(self) -> Sequence[str]:
        return [f"process {pid}: {line}" for pid, line in processes_of(self.run_id).items()]

    def close(self) -> None:
        # Holders of workers that were killed are ending by themselves.
        self.close_labs()
        await_end_of(self.run_id)

    def _holder(self) -> Holder:
        if self._holder_if_any is None:
            self._holder_if_any = Holder(_HOLDER, self.run_id)
        return self._holder_if_any
