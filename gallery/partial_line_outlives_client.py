"""Unfinished lines are kept by descriptor number, and stay there when the client leaves.

People write this because a number makes a handy key, and an entry too many "does no harm". But the
kernel gives the lowest free number to the next newcomer: it inherits half a line of a stranger.
The kernel sees nothing wrong; a reply begins with somebody else's words.
"""

from __future__ import annotations

import selectors
from collections import defaultdict
from contextlib import suppress
from socket import socket

from _common import accept, listen

partial: defaultdict[int, bytearray] = defaultdict(bytearray)
selector = selectors.DefaultSelector()


def serve(sock: socket, unsent: bytearray) -> None:
    """Read if all is sent, otherwise send."""
    if not unsent:
        piece = sock.recv(65536)
        if not piece:
            raise EOFError
        lines, newline, rest = piece.rpartition(b"\n")
        if newline:
            unsent += partial.pop(sock.fileno(), b"") + lines + newline
        partial[sock.fileno()] += rest
    if unsent:
        with suppress(BlockingIOError):
            del unsent[: sock.send(unsent)]
    wanted = selectors.EVENT_WRITE if unsent else selectors.EVENT_READ
    selector.modify(sock, wanted, unsent)


listener = listen()
listener.setblocking(False)
selector.register(listener, selectors.EVENT_READ)
while True:
    for key, _ in selector.select():
        if key.fileobj is listener:
            if newcomer := accept(listener):
                selector.register(newcomer, selectors.EVENT_READ, bytearray())
            continue
        sock = key.fileobj
        assert isinstance(sock, socket)
        try:
            serve(sock, key.data)
        except (OSError, EOFError):
            selector.unregister(sock)
            sock.close()
