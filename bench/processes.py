"""Starting what is measured and what measures: on its core, and not to outlive the benchmark."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from typing import IO

from iolab.harness.backends.local import linux
from iolab.harness.places import ROOT


def start(
    command: Sequence[str],
    core: int | None,
    stdin: int = subprocess.PIPE,
    stdout: int | IO[bytes] = subprocess.PIPE,
    stderr: int | None = None,
) -> subprocess.Popen[str]:
    """Start a command in the project's folder; `core` None: wherever there is room."""

    def before_exec() -> None:
        linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
        if core is not None:
            os.sched_setaffinity(0, {core})

    return subprocess.Popen(
        command,
        cwd=ROOT,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        text=True,
        preexec_fn=before_exec,
    )
