"""Keep a warm interpreter in a container, and run one program after another as its forks.

An exec of the engine's and the start of a Python in it take a tenth of a second of CPU each time;
a fork of an interpreter that has imported the program takes milliseconds. So a container has one of
these for as long as it stays, on the one pipe that its exec has given.

Arguments: the modules to import. A conversation begins with a line of JSON: `module` (with
`arguments`) or `code`, and `env`. What follows is the program's standard input, up to an END byte,
which JSON never has in it. Standard output and error are the program's own; when it has ended, a
line of END and its exit status (negative: the signal that killed it) is put on both. Input that
nobody takes any more is dropped up to its END, and then the next conversation may begin.
"""

import contextlib
import fcntl
import gc
import importlib
import json
import os
import runpy
import select
import signal
import sys
import traceback
from typing import Any

END = b"\4"

# So much can be said to a program that is stopped before its harness has to wait.
INPUT_BYTES = 1 << 18
PIECE = 1 << 16


def warm_up(modules: list[str]) -> None:
    """Import what will be run, and keep it out of garbage collections."""
    for module in modules:
        importlib.import_module(module)
        # runpy warns, on standard error, of a main module that it finds imported.
        if module.endswith(".__main__"):
            del sys.modules[module]
    gc.freeze()


class Keeper:
    def __init__(self) -> None:
        self.received = b""

    def serve(self) -> None:
        while line := self.line():
            self.converse(json.loads(line))

    def line(self) -> bytes:
        """The next line of ours; empty at the end of input."""
        while b"\n" not in self.received:
            piece = os.read(0, PIECE)
            if not piece:
                return b""
            self.received += piece
        line, _, self.received = self.received.partition(b"\n")
        return line

    def converse(self, request: dict[str, Any]) -> None:
        theirs, ours = os.pipe()
        with contextlib.suppress(PermissionError):  # the user has too many pages in pipes already
            fcntl.fcntl(ours, fcntl.F_SETPIPE_SZ, INPUT_BYTES)
        pid = os.fork()
        if pid == 0:
            os.close(ours)
            os.dup2(theirs, 0)
            os.close(theirs)
            os._exit(run(request))
        os.close(theirs)
        over = self.relay(ours, os.pidfd_open(pid))
        _, status = os.waitpid(pid, 0)
        said = END + b"%d\n" % os.waitstatus_to_exitcode(status)
        os.write(2, said)
        os.write(1, said)
        while not over:
            over = self.take(None)

    def relay(self, to: int, ended: int) -> bool:
        """Pass the input on until END, or the program's; whether END has come."""
        over = self.pass_on(to)
        poll = select.poll()
        for fd in (0, ended):
            poll.register(fd, select.POLLIN)
        while not over and ended not in [fd for fd, _ in poll.poll()]:
            over = self.take(to)
        os.close(to)
        os.close(ended)
        return over

    def take(self, to: int | None) -> bool:
        """Read, and pass on; whether END has come."""
        piece = os.read(0, PIECE)
        if not piece:
            sys.exit()  # the harness has gone; the program finds the end of its input
        self.received += piece
        return self.pass_on(to)

    def pass_on(self, to: int | None) -> bool:
        data, end, self.received = self.received.partition(END)
        while to is not None and data:
            try:
                data = data[os.write(to, data) :]
            except BrokenPipeError:  # it has ended, or reads no more
                break
        return bool(end)


def run(request: dict[str, Any]) -> int:
    """In the forked child: be the program; its exit status."""
    os.environ.update(request["env"])
    status = 0
    try:
        if "code" in request:
            sys.argv = ["-c", *request["arguments"]]
            exec(compile(request["code"], "<program>", "exec"), {"__name__": "__main__"})
        else:
            sys.argv = [request["module"], *request["arguments"]]
            runpy.run_module(request["module"], run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if isinstance(end.code, int):
            status = end.code
        elif end.code is not None:
            print(end.code, file=sys.stderr)
            status = 1
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return status


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    warm_up(sys.argv[1:])
    Keeper().serve()
