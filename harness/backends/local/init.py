"""The init of a node: starts what it is asked to start, reaps what ends, and ends with its lab.

Theory of operation. An init is forked, never executed, from a holder that has already imported the
agent and the probe: a process that says `python -m client …` is then a fork of that warm
interpreter, which takes milliseconds instead of a tenth of a second. Everything else is executed
as usual.

A message asks for one process and brings four descriptors: standard input, output and error, and
a status socket by which the harness learns first the process's PID (with a pidfd, which works
across PID namespaces) and in the end its exit status. The harness can therefore wait for and signal
each process without asking anybody. If the init itself is killed, the kernel closes the status
sockets and the harness sees an end without a status.

Inits end at the end of their control socket. In a PID namespace that is all: the kernel kills the
rest. Without one (`processes`) the init is the subreaper of all that it started, and kills its
descendants, round after round, until it has no child left.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import runpy
import signal
import socket
import sys
import traceback
from collections.abc import Mapping, Sequence
from typing import NoReturn

from iolab.harness.backends.local import linux, messages
from iolab.harness.backends.local.descendants import kill_descendants
from iolab.harness.backends.local.messages import Message
from iolab.harness.backends.local.serve import serve

# What may be run as `python -m` without being executed, and what is imported for it before.
WARM = {
    "iolab.client": ("iolab.client.__main__", "iolab.client.agent"),
    "iolab.harness.beside.probe": ("iolab.harness.beside.probe.__main__",),
}


def warm_up() -> None:
    """Import what the inits forked from here will run, and keep it out of garbage collections."""
    for modules in WARM.values():
        for module in modules:
            importlib.import_module(module)
            # runpy warns, on standard error, of a main module that it finds imported.
            if module.endswith(".__main__"):
                del sys.modules[module]
    gc.freeze()


class Init:
    """One node's processes."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._status: dict[int, socket.socket] = {}

    def run(self) -> NoReturn:
        """Serve the control socket until its end, and take every process along."""
        try:
            messages.send(self._control, {"ready": True})
            serve(self._control, self._spawn, self._reaped)
        except BrokenPipeError:
            pass  # the harness ended before it heard of us
        finally:
            if os.getpid() != 1:
                kill_descendants()
            os._exit(0)

    def _spawn(self, message: Message, descriptors: list[int]) -> None:
        *streams, status_fd = descriptors
        status = socket.socket(fileno=status_fd)
        parent = os.getpid()
        try:
            pid = os.fork()
            if pid == 0:
                _become(message, streams, parent)
        except OSError as error:  # too many processes: the node goes on with those it has
            with status:
                messages.send(status, {"refused": f"{message['argv'][0]}: {error}"})
            return
        finally:
            for fd in streams:
                os.close(fd)
        self._status[pid] = status
        pidfd = os.pidfd_open(pid)
        with contextlib.suppress(BrokenPipeError):  # the harness no longer asks for this one
            messages.send(status, {"pid": pid}, [pidfd])
        os.close(pidfd)

    def _reaped(self, pid: int, exit_status: int) -> None:
        status = self._status.pop(pid, None)
        if status is None:
            return  # an orphan of the subject
        with status, contextlib.suppress(BrokenPipeError):
            messages.send(status, {"exit": exit_status})


def _become(message: Message, streams: Sequence[int], parent: int) -> NoReturn:
    """In the forked child: be the program that the message asks for."""
    try:
        linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for target, fd in enumerate(streams):
            os.dup2(fd, target, inheritable=True)
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))
        os.chdir(message["cwd"])
        _run(message["argv"], message["env"])
    except OSError as error:
        print(f"{message['argv'][0]}: cannot be run: {error}", file=sys.stderr, flush=True)
        os._exit(127)


def _run(argv: list[str], env: Mapping[str, str]) -> NoReturn:
    match argv:
        case [sys.executable, "-m", module, *arguments] if module in WARM:
            os.environ.clear()
            os.environ.update(env)
            sys.argv = [module, *arguments]
            os._exit(_run_module(module))
    # Python ignores SIGPIPE; the programs that it executes do not expect that.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    os.execvpe(argv[0], argv, env)


def _run_module(name: str) -> int:
    """Do what `python -m name` does, and return its exit status."""
    status = 0
    try:
        runpy.run_module(name, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if isinstance(end.code, int):
            status = end.code
        elif end.code is not None:
            print(end.code, file=sys.stderr)
            status = 1
    except BaseException:  # the interpreter would end by it in the same way
        traceback.print_exc()
        status = 1
    with contextlib.suppress(OSError):  # nobody reads any more
        sys.stdout.flush()
        sys.stderr.flush()
    return status
