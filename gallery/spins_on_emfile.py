"""`accept` fails for want of a descriptor, and is tried again at once, and again.

This is the standard library's own `socketserver`: it drops the error of `accept` and goes back to
`select`, where the newcomer is still waiting. People get it by using the library as it is. The
kernel shows a whole processor in use by a server that gets nowhere, until a descriptor is free.
"""

from __future__ import annotations

from contextlib import suppress
from socketserver import StreamRequestHandler, ThreadingTCPServer

from _common import listen


class Echo(StreamRequestHandler):
    def handle(self) -> None:
        with suppress(OSError):
            for line in self.rfile:
                if line.endswith(b"\n"):
                    self.wfile.write(line)


class Server(ThreadingTCPServer):
    daemon_threads = True


listener = listen()
with Server(("", 0), Echo, bind_and_activate=False) as server:
    server.socket.close()
    server.socket = listener
    server.serve_forever()
