"""An echo server of lines on gevent's StreamServer: `gevent_server ADDRESS PORT`."""

from __future__ import annotations

import sys
from typing import Any

from gevent.server import StreamServer

from bench.contestants.framing import Lines


def echo(client: Any, _address: object) -> None:
    """Serve one connection, in a greenlet of its own."""
    lines = Lines()
    try:
        while data := client.recv(65536):
            whole = lines.feed(data)
            if whole:
                client.sendall(whole)
    except ConnectionError:
        pass


if __name__ == "__main__":
    StreamServer((sys.argv[1], int(sys.argv[2])), echo, backlog=4096).serve_forever()
