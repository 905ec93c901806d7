"""An echo server of lines on Twisted's epoll reactor: `twisted_server ADDRESS PORT`."""

from __future__ import annotations

import sys
from typing import Any

from twisted.internet import epollreactor

epollreactor.install()

from twisted.internet import reactor  # noqa: E402  (the reactor is chosen by the line above)
from twisted.internet.protocol import Factory, Protocol  # noqa: E402

from bench.contestants.framing import Lines  # noqa: E402


class Echo(Protocol):
    """One connection."""

    transport: Any

    def connectionMade(self) -> None:
        self.transport.setTcpNoDelay(True)
        self._lines = Lines()

    def dataReceived(self, data: bytes) -> None:
        whole = self._lines.feed(data)
        if whole:
            self.transport.write(whole)


if __name__ == "__main__":
    loop: Any = reactor
    factory = Factory.forProtocol(Echo)
    factory.noisy = False
    loop.listenTCP(int(sys.argv[2]), factory, backlog=4096, interface=sys.argv[1])
    loop.run()
