"""The process below which a worker's labs run: `python -m iolab.harness.backends.processes.holder`.

Theory of operation. One holder a worker of the run forks an init for each lab, which starts that
lab's processes, the probe and the agents; the probe starts the subject:

    worker ─▶ holder ─▶ init of a lab ─┬▶ probe ─▶ subject
                                        └▶ agents

Nothing but descent holds them together: no PID namespace ends them. So holder, init and probe are
subreapers, from whom no descendant escapes by losing its parent, and each kills its descendants
before it ends. The holder ends when its control socket does (the worker is gone) or the run's main
process (watched by a pidfd, since a worker may outlive it). It has the labs' ports meanwhile.
"""

from __future__ import annotations

import os
import signal
import socket
import sys

from iolab.harness.backends.local import limits, linux
from iolab.harness.backends.local.descendants import kill_descendants
from iolab.harness.backends.local.init import Init, warm_up
from iolab.harness.backends.local.messages import Message, send
from iolab.harness.backends.local.serve import answering, serve


def main() -> None:
    """Make labs until the end, and end all that came of them."""
    control = socket.socket(fileno=int(sys.argv[1]))
    run_ends = int(sys.argv[2])
    linux.prctl(linux.PR_SET_CHILD_SUBREAPER, 1)
    warm_up()
    limits.apply()
    holder = _Holder()
    ops = {"lab": holder.make, "close": holder.close}
    try:
        send(control, {"ready": True})
        serve(control, answering(control, ops, (OSError,)), lambda pid, status: None, [run_ends])
    except BrokenPipeError:
        pass  # the worker ended before it had its answer
    finally:
        kill_descendants()


class _Holder:
    def __init__(self) -> None:
        self._ports: dict[int, int] = {}

    def make(self, request: Message, descriptors: list[int]) -> tuple[Message, list[int]]:
        """Fork a lab's init, and keep its port; the answer has the init's pidfd."""
        control, self._ports[request["lab"]] = descriptors
        holder = os.getpid()
        pid = os.fork()
        if pid == 0:
            _be_init(control, holder)
        os.close(control)
        return {}, [os.pidfd_open(pid)]

    def close(self, request: Message, _: list[int]) -> tuple[Message, list[int]]:
        """Give the lab's port back; its init has ended."""
        os.close(self._ports.pop(request["lab"]))
        return {}, []


def _be_init(control: int, holder: int) -> None:
    linux.close_all_but(control)
    linux.prctl(linux.PR_SET_CHILD_SUBREAPER, 1)
    linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() == holder:
        Init(socket.socket(fileno=control)).run()
    os._exit(1)


if __name__ == "__main__":
    main()
