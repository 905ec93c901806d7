"""The loop of a process that keeps others: messages come in, children end, and the end comes.

Used by the holder (one a worker of the run, which makes labs) and by the init of each node (which
starts its processes). Both live exactly as long as their control socket: when the harness has gone,
however it went, the kernel has closed the other end.
"""

from __future__ import annotations

import os
import select
import signal
import socket
from collections.abc import Callable, Mapping, Sequence

from iolab.harness.backends.local.messages import Message, receive, send

Op = Callable[[Message, list[int]], tuple[Message, list[int]]]
"""Takes a request and its descriptors, which it has to close; gives an answer and descriptors,
which are closed once they are sent."""


def serve(
    control: socket.socket,
    handle: Callable[[Message, list[int]], None],
    reaped: Callable[[int, int], None],
    ends: Sequence[int] = (),
) -> None:
    """Handle messages until the end of input, or until a descriptor of `ends` is readable.

    `reaped(pid, status)` is called for every child that ends; `status` is its exit status, or the
    negative number of the signal that killed it.
    """
    woken, wake = socket.socketpair()
    woken.setblocking(False)
    wake.setblocking(False)
    poll = select.poll()
    for fd in (control.fileno(), woken.fileno(), *ends):
        poll.register(fd, select.POLLIN)
    # The handler does nothing: its being there makes the kernel wake us, by way of the descriptor.
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
    try:
        _reap(reaped)
        while True:
            ready = {fd for fd, _ in poll.poll()}
            if not ready.isdisjoint(ends):
                return
            if woken.fileno() in ready:
                woken.recv(4096)
                _reap(reaped)
            if control.fileno() in ready:
                received = receive(control)
                if received is None:
                    return
                handle(*received)
    finally:
        signal.set_wakeup_fd(-1)
        woken.close()
        wake.close()


def answering(
    control: socket.socket, ops: Mapping[str, Op], refusals: tuple[type[Exception], ...]
) -> Callable[[Message, list[int]], None]:
    """A `handle` for `serve` that looks up the op by the request's `op` and sends its answer.

    An exception of `refusals` becomes the answer `{"refused": one line}`; any other one leaves.
    """

    def handle(request: Message, descriptors: list[int]) -> None:
        try:
            answer, answered = ops[request["op"]](request, descriptors)
        except refusals as refusal:
            answer, answered = {"refused": str(refusal)}, []
        send(control, answer, answered)
        for fd in answered:
            os.close(fd)

    return handle


def _reap(reaped: Callable[[int, int], None]) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        reaped(pid, os.waitstatus_to_exitcode(status))
