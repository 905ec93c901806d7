"""Blocking IO with a thread for each client.

While it waits, each thread sleeps in `recv` on its own socket (or in `poll` on that one, while its
client does not take an answer), and the main thread in `accept`. The waiting is as simple as with
one client, since each thread looks at one; the kernel's scheduler does the rest. The price is a
stack and a scheduler's entry for each client, and here, in Python, one lock that lets one thread
run at a time.
"""

from __future__ import annotations

from ..console import Operator
from ..events import Log
from ..listener import Listener
from ..session import Session
from ..settings import Settings
from ..stop import StopRequest, start_thread
from ..threads import Threads


def unavailable() -> str | None:
    return None


def serve(settings: Settings, listener: Listener, log: Log, stop: StopRequest) -> None:
    threads = Threads(settings, listener, log, stop)
    if settings.reply == "operator":
        operator = Operator(threads.clients, log)
        start_thread("operator", _hear, operator)
    for sock, peer in threads.admitted():
        session = Session(threads.clients, sock, peer)
        try:
            start_thread(f"client-{session.number}", threads.serve, session)
        except RuntimeError:
            threads.clients.refuse(sock, peer, "no more threads can be started")


def _hear(operator: Operator[Session]) -> None:
    while operator.hear():
        pass
