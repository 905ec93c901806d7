"""The event-driven server: listener, transports, signals and operator under one loop.

All models that wait for many sockets at once share it; they differ in the poller alone.
"""

from __future__ import annotations

import select

from .clients import Clients
from .console import STDIN, Operator
from .events import Log
from .listener import ACCEPT_RETRY_S, Listener, OutOfDescriptors
from .loop import Loop
from .models.base import READ, Poller
from .settings import Settings
from .stop import StopRequest
from .timers import Timer
from .transport import Transport

MOST_ACCEPTED = 256
"""Connections accepted in one round: a burst must not starve those who are being served."""


class Service:
    """One server under one poller, from listening to stopped."""

    def __init__(
        self,
        settings: Settings,
        listener: Listener,
        log: Log,
        stop: StopRequest,
        poller: Poller,
    ) -> None:
        self.settings = settings
        self.loop = Loop(poller)
        self.clients: Clients[Transport] = Clients(settings, log, poller.max_fd)
        self.stopping = False
        self._listener = listener
        self._log = log
        self._stop_request = stop
        # Finding the queue empty costs more than accepting does, so only a burst is asked for more.
        self._expected = 1
        self._resting: Timer | None = None
        self._operator = Operator(self.clients, log)

    def run(self) -> None:
        """Serve until a signal asks to stop, and the grace time at most after it."""
        self.loop.register(self._stop_request.fileno(), READ, self._on_stop)
        self.loop.register(self._listener.fileno(), READ, self._on_acceptable)
        if self.settings.reply == "operator":
            self._hear_operator()
        self.loop.run()
        self.loop.poller.close()

    def _on_acceptable(self, _mask: int) -> None:
        for turn in range(self._expected):
            try:
                accepted = self._listener.accept()
            except OutOfDescriptors as error:
                self._rest(error.code)
                return
            if accepted is None:
                self._expected = max(1, turn)
                return
            if self.clients.admit(*accepted):
                self.clients.accepted(Transport(self, *accepted))
        self._expected = min(2 * self._expected, MOST_ACCEPTED)

    def _rest(self, code: str) -> None:
        """Do not watch the listener for a while: it stays readable, and the loop would spin.

        Whoever connects meanwhile waits in the backlog, and is served once there is room.
        """
        self.clients.accept_failed(code)
        if not self.stopping:
            self.loop.modify(self._listener.fileno(), 0, self._on_acceptable)
            self._resting = self.loop.call_later(ACCEPT_RETRY_S, self._resume)

    def _resume(self) -> None:
        self._resting = None
        self.loop.modify(self._listener.fileno(), READ, self._on_acceptable)

    def on_closed(self, transport: Transport) -> None:
        """The transport has closed its socket, so there may be room for another."""
        self.clients.closed(transport)
        if self._resting is not None:
            self.loop.cancel(self._resting)
            self._resume()
        if self.stopping and not self.clients:
            self.loop.stop()

    def _on_stop(self, _mask: int) -> None:
        """Close the listener, let the clients finish, and bound the time that it may take."""
        name = self._stop_request.take()
        if name is None:
            return
        self.loop.unregister(self._stop_request.fileno())
        self._log.event("stopping", signal=name, connections=len(self.clients))
        self.stopping = True
        # Closing the listener resets those who wait in its queue.
        self._expected = MOST_ACCEPTED
        self._on_acceptable(READ)
        if self._resting is not None:
            self.loop.cancel(self._resting)
            self._resting = None
        self.loop.unregister(self._listener.fileno())
        self._listener.close()
        for client in self.clients:
            client.stop()
        self.loop.call_later(self.settings.grace, self._end_grace)
        if not self.clients:
            self.loop.stop()

    def _end_grace(self) -> None:
        for client in self.clients:
            client.abandon("grace")
        self.loop.stop()

    def _hear_operator(self) -> None:
        try:
            self.loop.register(STDIN, READ, self._on_typed)
        except PermissionError:
            # epoll watches nothing that never waits, such as a regular file: read it now.
            while self._hear():
                pass
        except OSError:
            self._operator.feed(b"")  # standard input is closed: nobody will ever type

    def _on_typed(self, _mask: int) -> None:
        if not self._hear():
            self.loop.unregister(STDIN)

    def _hear(self) -> bool:
        """Take what was typed; False at its end."""
        # Standard input cannot be made non-blocking for us alone, so ask before reading.
        if not select.select([STDIN], [], [], 0)[0]:
            return True
        return self._operator.hear()
