"""A run that opens and closes labs without end, for the tests that kill it.

`python -m tests.backends.restless NAME` says the run's id, and goes on until it is killed; with
a RUN-ID besides, it is a worker of that run.
"""

from __future__ import annotations

import dataclasses
import sys

from iolab.harness.backends import choose, identity
from iolab.harness.backends.channel import Channel
from tests.backends.subjects import LEAVES_A_CHILD, python
from tests.waiting import PATIENCE_S

# By which the subject's processes are known, whatever became of their ancestors.
MARK = "IOLAB_TEST_RUN"


def main(name: str, run_id: str) -> None:
    subject = dataclasses.replace(LEAVES_A_CHILD, environment={MARK: run_id})
    backend = choose.backend(name, run_id)
    backend.prepare()
    print(run_id, flush=True)
    while True:
        lab = backend.open_lab(subject, (4, 6))
        probe = Channel("probe", lab.pod.start_probe())
        lab.client("agent").spawn(["python3", "-m", "iolab.client", "agent"])
        lab.client("sleeper").spawn(python("import time; time.sleep(1000)"), {MARK: run_id})
        probe.ready()
        lab.pod.start_subject(probe)
        probe.request("wait", condition={"listening": lab.pod.port}, within_s=PATIENCE_S)
        probe.close()
        lab.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else identity.new_id())
