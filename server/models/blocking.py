"""Blocking IO: one client at a time.

While it waits, the process sleeps in `recv` on the one socket that it serves, or in `accept` if it
serves none. The kernel wakes it when that socket has bytes; whatever happens on any other is not
noticed. Clients that connect meanwhile are taken into the backlog by the kernel, believe that they
are connected, and wait until the one before them has gone. (With an answer that its client does
not take, the process sleeps in `poll` on that one socket, or two who both wait to be heard would
wait for ever.) With an operator, everybody waits for
the person too.
"""

from __future__ import annotations

import select

from ..console import STDIN, Operator
from ..events import Log
from ..listener import Listener
from ..session import Session
from ..settings import Settings
from ..stop import StopRequest
from ..threads import Threads


def unavailable() -> str | None:
    return None


def serve(settings: Settings, listener: Listener, log: Log, stop: StopRequest) -> None:
    threads = Threads(settings, listener, log, stop)
    operator = Operator(threads.clients, log)

    def hear_operator() -> bool:
        # No signal and no socket wakes a process that reads standard input, so look up in between.
        while not select.select([STDIN], [], [], 0.5)[0]:
            if threads.stopping:
                return False
        return operator.hear()

    for sock, peer in threads.admitted():
        threads.serve(Session(threads.clients, sock, peer, hear_operator))
