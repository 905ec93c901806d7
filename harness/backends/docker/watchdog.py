"""Removes a run when its main process dies, however it dies.

The watchdog is a process in a session of its own, so that neither Ctrl-C nor a signal to the group
reaches it. It holds the reading end of a pipe whose only writer is the main process: the kernel
closes it at any death, `kill -9` included. Containers may still be coming while it removes, from
workers that have not noticed: it goes on until it has seen nothing for a while.
"""

from __future__ import annotations

import subprocess
import sys
import time

from tenacity import Retrying, retry_if_result, wait_fixed

from iolab.harness.backends.base import BackendUnavailable
from iolab.harness.backends.docker import engine, removal
from iolab.harness.backends.docker.engine import RUN_LABEL, EngineError
from iolab.harness.places import ROOT

DISMISSED = b"dismissed\n"
QUIET_S = 2.0
LOOK_EVERY_S = 0.2
ENDS_WITHIN_S = 10.0


class Watchdog:
    """The watchdog of this process, which is the run's main one."""

    def __init__(self, run_id: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, run_id],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            cwd=ROOT,
            start_new_session=True,
        )

    def dismiss(self) -> None:
        """The run has cleaned up after itself."""
        self._process.communicate(DISMISSED, timeout=ENDS_WITHIN_S)


def _clean_up(run_id: str) -> None:
    client = engine.connect()
    removed = 0
    last_seen = time.monotonic()

    def quiet_for_s() -> float:
        nonlocal removed, last_seen
        found = removal.remove(client, RUN_LABEL, run_id)
        removed += found
        if found:
            last_seen = time.monotonic()
        return time.monotonic() - last_seen

    Retrying(
        retry=retry_if_result(lambda quiet_s: quiet_s < QUIET_S), wait=wait_fixed(LOOK_EVERY_S)
    )(quiet_for_s)
    if removed:
        print(
            f"iolab: run {run_id} died; {removed} containers, networks and volumes of it removed",
            file=sys.stderr,
        )


def main(run_id: str) -> int:
    """Wait for the main process's end; returns an exit status."""
    if sys.stdin.buffer.read() == DISMISSED:
        return 0
    try:
        _clean_up(run_id)
    except (BackendUnavailable, EngineError) as error:
        print(f"iolab: run {run_id} died and was not removed: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
