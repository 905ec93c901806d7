"""A run in a process of its own, for the tests that kill it: `python -m tests.backends.dying NAME`.

Opens a lab, says the run's id, and waits.
"""

from __future__ import annotations

import signal
import sys

from iolab.harness.backends import choose, identity
from tests.backends.subjects import ECHO, python


def main(name: str) -> None:
    run_id = identity.new_id()
    backend = choose.backend(name, run_id)
    backend.check()
    try:
        backend.prepare()
        lab = backend.open_lab(ECHO)
        lab.client("sleeper").spawn(python("import time; time.sleep(1000)"))
        print(run_id, flush=True)
        signal.pause()
    finally:
        backend.close()


if __name__ == "__main__":
    main(sys.argv[1])
