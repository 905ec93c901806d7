"""Servers that answer the first greeting and then go wrong."""

from __future__ import annotations

import sys

from bench.contestants import Contestant

_SOURCE = """
import socketserver, sys
class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        for number, line in enumerate(self.rfile):
            if line != b"warm\\n":
                WRONG
            self.wfile.write(line)
class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
Server((sys.argv[1], int(sys.argv[2])), Echo).serve_forever()
"""


def _broken(wrong: str) -> Contestant:
    source = _SOURCE.replace("WRONG", wrong)
    return Contestant("broken", "broken", (sys.executable, "-c", source, "{address}", "{port}"))


LIAR = _broken("line = line[:-2] + b'?' + line[-1:]")
LEAVER = _broken("return")
LEAVES_AT_THE_SECOND = _broken("if number: return")
