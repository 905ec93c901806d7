"""What the models with blocking calls share: admitting clients one by one, and being stopped.

A thread that sleeps in accept or recv looks at no descriptor but that one, and a signal that
arrives just before it falls asleep does not wake it. So a thread of its own waits for the request
to stop, and wakes the others by shutting down the sockets that they sleep on.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable, Iterator
from threading import Condition

from .clients import Clients
from .events import Log
from .listener import ACCEPT_RETRY_S, Listener, OutOfDescriptors
from .session import Session
from .settings import Settings
from .stop import StopRequest, start_thread


class Threads:
    """One server of blocking calls: its clients, and the thread that stops it."""

    def __init__(self, settings: Settings, listener: Listener, log: Log, stop: StopRequest) -> None:
        self.clients: Clients[Session] = Clients(settings, log)
        self._settings = settings
        self._listener = listener
        self._log = log
        self._stop_request = stop
        self._freed = Condition()
        self.stopping = False
        self._stopper = start_thread("stop", self._stop)

    def admitted(self) -> Iterator[tuple[socket.socket, str]]:
        """The clients one after the other as they come, until the server stops."""
        self._listener.socket.setblocking(True)
        while not self.stopping:
            try:
                accepted = self._listener.accept()
            except OutOfDescriptors as error:
                self.clients.accept_failed(error.code)
                self._wait(lambda: False, ACCEPT_RETRY_S)
                continue
            if accepted is not None and self.clients.admit(*accepted):
                yield accepted
        self._stopper.join()
        # Here, and not in the thread that stops: it would close the listener under accept.
        self._listener.close()

    def serve(self, session: Session) -> None:
        """Serve one client to its end in this thread."""
        self.clients.accepted(session)
        if self.stopping:
            session.stop()  # it came in just when the others were told
        session.run()
        self.clients.closed(session)
        with self._freed:
            self._freed.notify_all()

    def _wait(self, until: Callable[[], bool], seconds: float) -> None:
        """Wait until a client has gone and `until` is true, or until the time is over."""
        with self._freed:
            self._freed.wait_for(until, seconds)

    def _stop(self) -> None:
        select.select([self._stop_request], [], [])
        name = self._stop_request.take()
        self._log.event("stopping", signal=name, connections=len(self.clients))
        self.stopping = True
        deadline = time.monotonic() + self._settings.grace
        self._listener.socket.shutdown(socket.SHUT_RD)  # accept comes back, as closing it would not
        for client in self.clients:
            client.stop()
        self._wait(lambda: not self.clients, deadline - time.monotonic())
        for client in self.clients:
            client.abandon("grace")
        self._wait(lambda: not self.clients, 1.0)
