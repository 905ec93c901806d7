"""What the controls share: the command line, a listener, how soon a vanished peer is noticed."""

from __future__ import annotations

import argparse
import socket
import sys


def listen() -> socket.socket:
    """A listener at `--host` and `--port`; on `::` it serves IPv4 as well.

    Accepted sockets inherit its options: a peer that answers nothing for two seconds is given up.
    """
    parser = argparse.ArgumentParser(description="A correct server, to test the harness by.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    given = parser.parse_args()
    ipv6 = ":" in given.host
    try:
        listener = socket.create_server(
            (given.host, given.port),
            family=socket.AF_INET6 if ipv6 else socket.AF_INET,
            backlog=1024,
            dualstack_ipv6=ipv6,
        )
    except OSError as error:
        sys.exit(f"cannot listen on {given.host} port {given.port}: {error.strerror}")
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 1900)
    return listener
