"""Processes that the probe itself starts, and the end of all of them.

Whoever is orphaned among the descendants becomes a child of the probe, which is a subreaper (or PID
1 of its namespace), and is reaped here. At the end nothing that was spawned stays behind: all that
descends from the probe gets SIGKILL until none is left. Should the probe itself be killed, its
children get SIGKILL from the kernel (PR_SET_PDEATHSIG); their children must then be ended by who
started the probe, unless the PID namespace ends with it.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from iolab.client import fields
from iolab.client.fields import Fields, Invalid
from iolab.harness.beside.loop import Loop
from iolab.harness.beside.ops import Emit, Handler, Reply, Request, RequestError, Results
from iolab.harness.beside.probe import processes
from iolab.harness.beside.probe.pipes import Input, Output
from iolab.harness.beside.probe.subject import SubjectProcesses

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_UNKILLABLE_S = 5.0
_libc = ctypes.CDLL(None, use_errno=True)


class Child:
    """One spawned process, the probe's ends of its pipes with it."""

    def __init__(
        self, process: subprocess.Popen[bytes], stdin: Input, outputs: list[Output]
    ) -> None:
        self.process = process
        self.input = stdin
        self.outputs = outputs


class Spawner:
    """Offers `spawn`, `input` and `hold-output`; reaps; ends everything."""

    def __init__(
        self, loop: Loop, subject: SubjectProcesses, emit: Emit, on_exit: Callable[[], None]
    ) -> None:
        """`on_exit` is called after children were reaped."""
        self._loop = loop
        self._subject = subject
        self._emit = emit
        self._on_exit = on_exit
        self._children: dict[int, Child] = {}  # by pid, those that run first
        if _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "prctl: PR_SET_CHILD_SUBREAPER")

    def ops(self) -> dict[str, Handler]:
        """The ops by name."""
        return {"spawn": self._spawn, "input": self._input, "hold-output": self._hold}

    def reap(self) -> None:
        """Take the status of every child that has ended, whoever's child it was born as."""
        while pid := self._ended_child():
            _, status = os.waitpid(pid, 0)
            self._subject.reaped(pid)
            if child := self._children.get(pid):
                self._ended(child, os.waitstatus_to_exitcode(status))
        self._on_exit()

    def end_all(self) -> None:
        """SIGKILL to all descendants until none is left. Blocks; the loop is over by then.

        What may not be killed, or does not die within 5 s (a device that does not answer), is told
        on standard error.
        """
        give_up = time.monotonic() + _UNKILLABLE_S
        spared: dict[int, str] = {}
        while left := self._to_end(spared):
            if time.monotonic() > give_up:
                spared |= dict.fromkeys(left, "does not die of SIGKILL")
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
                except PermissionError:
                    spared[pid] = "may not be killed"
            time.sleep(0.001)
        for pid, why in spared.items():
            print(f"iolab probe: process {pid} {why}", file=sys.stderr)

    def _ended_child(self) -> int | None:
        """A child that has ended and whose status is nobody else's to take."""
        try:
            first = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return None
        if first is None:
            return None
        if not self._subject.is_helper(processes.stat(f"/proc/{first.si_pid}")):
            return first.si_pid
        # A helper waits to be asked by who started it, and hides those that ended after it.
        return next(
            (
                one.pid
                for one in processes.every()
                if one.state == "Z" and one.ppid == os.getpid() and not self._subject.is_helper(one)
            ),
            None,
        )

    def _to_end(self, spared: dict[int, str]) -> list[int]:
        while pid := self._ended_child():
            os.waitpid(pid, 0)
        everyone = {found.pid: found for found in processes.every()}
        return [pid for pid in self._subject.descendants(everyone) if pid not in spared]

    def _spawn(self, request: Request) -> Results:
        reader = Fields(request)
        argv = reader.take("argv", fields.WORDS)
        environment = reader.take("env", fields.TEXTS, None)
        folder = reader.take("cwd", fields.TEXT, None)
        limit = reader.take("nofile", fields.COUNT, None)
        uid = reader.take("uid", fields.COUNT, None)
        gid = reader.take("gid", fields.COUNT, None)
        reader.end()
        if limit is not None:
            self._check_limit(limit)
        ends = [os.pipe(), os.pipe(), os.pipe()]  # read and write end of stdin, stdout, stderr
        theirs = (ends[0][0], ends[1][1], ends[2][1])
        ours = (ends[0][1], ends[1][0], ends[2][0])
        try:
            process = subprocess.Popen(
                argv,
                stdin=theirs[0],
                stdout=theirs[1],
                stderr=theirs[2],
                env=environment,
                cwd=folder,
                preexec_fn=_before_exec(limit),
                start_new_session=True,  # a terminal's Ctrl-C is not for the subject
                **_identity(uid, gid),
            )
        except (OSError, subprocess.SubprocessError) as error:
            for descriptor in ours:
                os.close(descriptor)
            words = f"{argv[0]} cannot be started: {error}"
            raise RequestError(words, field="argv") from None
        finally:
            for descriptor in theirs:
                os.close(descriptor)
        self._adopt(process, *ours)
        return {"pid": process.pid}

    def _check_limit(self, limit: int) -> None:
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        if most != resource.RLIM_INFINITY and limit > most:
            allowed = f"at most {most}, the probe's own hard limit"
            raise Invalid(f"must be {allowed}", field="nofile", allowed=allowed)

    def _adopt(
        self, process: subprocess.Popen[bytes], stdin: int, stdout: int, stderr: int
    ) -> None:
        def output(stream: str, descriptor: int) -> Output:
            def deliver(piece: bytes) -> None:
                data = piece.decode(errors="surrogateescape")
                event = {"event": "output", "pid": process.pid, "stream": stream, "data": data}
                self._emit(event)

            return Output(self._loop, descriptor, deliver)

        outputs = [output("stdout", stdout), output("stderr", stderr)]
        self._children[process.pid] = Child(process, Input(self._loop, stdin), outputs)
        self._subject.spawned(process.pid)

    def _ended(self, child: Child, status: int) -> None:
        child.process.returncode = status  # or Popen would ask for it, and find no such child
        child.input.close("has ended")
        for output in child.outputs:
            output.drain()  # what it wrote before it ended is told before its end
        self._emit({"event": "exited", "pid": child.process.pid, "status": status})

    def _input(self, request: Request) -> Reply:
        reader = Fields(request)
        child = self._child(reader)
        data = reader.take("data", fields.TEXT, "")
        last = reader.take("close", fields.FLAG, False)
        reader.end()
        return child.input.write(data.encode(errors="surrogateescape"), last=last)

    def _hold(self, request: Request) -> Results:
        reader = Fields(request)
        child = self._child(reader)
        hold = reader.take("hold", fields.FLAG)
        reader.end()
        for output in child.outputs:
            output.hold(hold)
        return {}

    def _child(self, reader: Fields) -> Child:
        """The child of field `pid`; without it, the first that still runs, or the last that did."""
        pid = reader.take("pid", fields.COUNT, None)
        if pid is not None and pid not in self._children:
            allowed = "a process that was spawned here"
            raise reader.wrong("pid", f"must be {allowed}, not {pid}", allowed)
        if not self._children:
            raise RequestError("nothing was spawned here", field="pid")
        if pid is not None:
            return self._children[pid]
        children = list(self._children.values())
        running = (child for child in children if child.process.returncode is None)
        return next(running, children[-1])


def _identity(uid: int | None, gid: int | None) -> dict[str, Any]:
    """Popen's arguments for another user: without the probe's own groups, where that is allowed."""
    arguments: dict[str, Any] = {"user": uid, "group": gid}
    # user_namespaces(7): where setgroups is denied, groups can be neither set nor dropped.
    groups_may_change = processes.read("/proc/self/setgroups").strip() == b"allow"
    if (uid, gid) != (None, None) and groups_may_change and not os.geteuid():
        arguments["extra_groups"] = []
    return arguments


def _before_exec(limit: int | None) -> Callable[[], None]:
    parent = os.getpid()

    def prepare() -> None:
        # The subject is not to have the priority of its witness.
        os.setpriority(os.PRIO_PROCESS, 0, max(0, os.getpriority(os.PRIO_PROCESS, 0)))
        # After the change of user, which would clear it (prctl(2)).
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # the probe died before the line above
            os._exit(1)
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))

    return prepare
