"""`python -m iolab.harness.beside.probe`: puts the parts together, and runs until nobody listens.

It ends at the end of its input, or by SIGTERM or SIGINT, and takes with it whatever it spawned.
"""

from __future__ import annotations

import contextlib
import gc
import os
import resource
import signal
import socket
import sys

from iolab.harness.beside.loop import READ, Loop
from iolab.harness.beside.probe.activity import Activity
from iolab.harness.beside.probe.control import Control
from iolab.harness.beside.probe.dispatcher import Dispatcher
from iolab.harness.beside.probe.notices import Notices
from iolab.harness.beside.probe.procnet import open_table
from iolab.harness.beside.probe.sockets import Row
from iolab.harness.beside.probe.spawner import Spawner
from iolab.harness.beside.probe.subject import SubjectProcesses
from iolab.harness.beside.probe.witness import Witness
from iolab.harness.beside.wire import Wire

PRIORITY = -10


class Probe:
    """One probe on its standard input and output."""

    def __init__(self) -> None:
        self._loop = Loop()
        self._signals = self._hear_signals()
        subject = SubjectProcesses()
        dispatcher = Dispatcher(
            self._loop, sys.stdin.fileno(), sys.stdout.fileno(), on_end=self._loop.stop
        )
        table = open_table()
        self._witness = Witness(self._loop, subject, table)
        self._spawner = Spawner(self._loop, subject, dispatcher.emit, self._witness.hurry)
        self._wire = Wire(dispatcher.emit)
        for part in (
            self._witness,
            self._spawner,
            Control(self._loop, subject),
            Activity(self._loop, subject, table),
            self._wire,
        ):
            dispatcher.offer(part.ops())
        dispatcher.emit(
            {
                "event": "ready",
                "pid": os.getpid(),
                "nofile": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
            }
        )
        self._wire.register(self._loop)
        try:
            Notices(self._loop, dispatcher.emit, self._concerns, self._witness.hurry)
        except OSError as refusal:  # waiting goes on by polling alone
            dispatcher.emit({"event": "destroyed-lost", "reason": str(refusal)})

    def run(self) -> None:
        """Work until the end of the input, or a signal, and clean up."""
        try:
            self._loop.run()
        finally:
            self._spawner.end_all()
            self._wire.close()

    def _concerns(self, row: Row) -> bool:
        return any(endpoint.has(row) for endpoint in self._witness.endpoints)

    def _hear_signals(self) -> socket.socket:
        reader, writer = socket.socketpair()
        reader.setblocking(False)
        writer.setblocking(False)
        signal.set_wakeup_fd(writer.detach(), warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
            # Python writes the number to the socket; the handler itself has nothing to do. PID 1
            # of a namespace would not even get signals that it has no handler for.
            signal.signal(number, lambda number, frame: None)
        self._loop.register(reader.fileno(), READ, self._take_signals)
        return reader

    def _take_signals(self, ready: int) -> None:
        numbers = set(self._signals.recv(4096))
        if numbers & {signal.SIGTERM, signal.SIGINT}:
            self._loop.stop()
        if signal.SIGCHLD in numbers:
            self._spawner.reap()


def main() -> None:
    """Run a probe."""
    # A session of its own: helpers are told from the subject by it (subject.py), and a terminal's
    # Ctrl-C is the harness's to act on. A leader of a process group has to stay where it is.
    with contextlib.suppress(PermissionError):
        os.setsid()
    # The witness must not be late because others are busy, and needs little. Where it may not ask
    # for more, its lateness is on record all the same.
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, PRIORITY)
    probe = Probe()
    # Snapshots make many objects and no cycles: what the modules made need not be searched again.
    gc.collect()
    gc.freeze()
    probe.run()


if __name__ == "__main__":
    main()
