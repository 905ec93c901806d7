"""An echo server of lines on `socketserver`: `socketserver_server ADDRESS PORT`.

Each connection has a thread. Lines are taken and answered by the handler's files, as its
documentation shows.
"""

from __future__ import annotations

import sys
from socketserver import StreamRequestHandler, ThreadingTCPServer


class Echo(StreamRequestHandler):
    """Serves one connection."""

    disable_nagle_algorithm = True

    def handle(self) -> None:
        try:
            for line in self.rfile:
                if line.endswith(b"\n"):
                    self.wfile.write(line)
        except ConnectionError:
            pass


class Server(ThreadingTCPServer):
    """As the others: an address that was in use is not waited for, and many may wait."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 4096


if __name__ == "__main__":
    with Server((sys.argv[1], int(sys.argv[2])), Echo) as server:
        server.serve_forever()
