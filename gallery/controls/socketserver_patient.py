"""Correct: the standard library's `socketserver`, one thread for each client.

The library drops an error of `accept` and tries again at once; a breath in `get_request` keeps it
from spinning when no descriptor is free. All else is as the documentation has it.
"""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import Any

from _listener import listen


class Echo(StreamRequestHandler):
    def handle(self) -> None:
        with suppress(OSError):
            for line in self.rfile:
                if line.endswith(b"\n"):
                    self.wfile.write(line)


class Server(ThreadingTCPServer):
    daemon_threads = True

    def __init__(self, listener: socket.socket) -> None:
        super().__init__(("", 0), Echo, bind_and_activate=False)
        self.socket.close()
        self.socket = listener

    def get_request(self) -> tuple[socket.socket, Any]:
        try:
            return self.socket.accept()
        except OSError:
            time.sleep(0.05)
            raise

    def process_request(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request(request, client_address)
        except RuntimeError:  # no thread is free: this one is refused
            self.shutdown_request(request)


with Server(listen()) as server:
    server.serve_forever(poll_interval=3600)
