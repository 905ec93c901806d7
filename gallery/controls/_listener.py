"""What the controls share: the command line and a listener."""

from __future__ import annotations

import argparse
import socket
import sys


def listen() -> socket.socket:
    """A listener at `--host` and `--port`; on `::` it serves IPv4 as well."""
    parser = argparse.ArgumentParser(description="A correct server, to test the harness by.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    given = parser.parse_args()
    ipv6 = ":" in given.host
    try:
        return socket.create_server(
            (given.host, given.port),
            family=socket.AF_INET6 if ipv6 else socket.AF_INET,
            backlog=1024,
            dualstack_ipv6=ipv6,
        )
    except OSError as error:
        sys.exit(f"cannot listen on {given.host} port {given.port}: {error.strerror}")
