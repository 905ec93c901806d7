"""Which backends there are, and which one a run takes."""

from __future__ import annotations

import importlib

from iolab.harness.backends.base import Backend, BackendError
from iolab.harness.errors import UsageError

AUTO = "auto"

# The best one first: where there are engines, images and namespaces, labs are most like the world.
# Each is imported when it is asked for: not every machine has what another one needs.
BACKENDS = {
    "docker": "iolab.harness.backends.docker.backend:DockerBackend",
    "namespaces": "iolab.harness.backends.namespaces.backend:Namespaces",
    "processes": "iolab.harness.backends.processes.backend:Processes",
}


def backend(name: str, run_id: str) -> Backend:
    """The backend of that name, for a process of that run; whether it works is not tried."""
    module, _, cls = BACKENDS[name].partition(":")
    made = getattr(importlib.import_module(module), cls)(run_id)
    assert isinstance(made, Backend)
    return made


def prepared(wanted: str, run_id: str) -> tuple[Backend, str]:
    """The backend that was asked for, or with "auto" the best that works here, and a line on why.

    It is checked and prepared: an engine may answer, and no image be had for it. UsageError when
    the one that was asked for does not work here.
    """
    passed_over = []
    for name in BACKENDS:
        if wanted not in (AUTO, name):
            continue
        tried = backend(name, run_id)
        try:
            tried.check()
            _prepare(tried)
        except BackendError as reason:
            if wanted == name:
                raise UsageError(f"--backend {name}: {reason}") from None
            passed_over.append(f"not {name}: {reason}")
        else:
            why = "; ".join(passed_over) or ("the best one" if wanted == AUTO else "as asked")
            return tried, f"backend: {name} ({why})"
    raise UsageError(f"--backend {AUTO}: none works here: {'; '.join(passed_over)}")


def _prepare(tried: Backend) -> None:
    try:
        tried.prepare()
    except BaseException:
        tried.close()
        raise
