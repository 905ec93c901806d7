"""An idle client is told the end, and kept until it ends as well, for however long that takes.

People write this when they have learnt that closing at once can lose the last words to a reset.
What is missing is a limit: a peer may keep its own side open for ever. The kernel shows FIN-WAIT-2
sockets with descriptors, which no timer of the kernel's ever takes away.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from select import POLLIN, POLLOUT, poll
from socket import SHUT_WR, socket

from _common import Client, accept, listen, progress_in_small_steps

IDLE_S = 1.8


def serve(client: Client) -> None:
    with client.sock as sock, suppress(OSError):
        while wait(sock, POLLIN) and (piece := sock.recv(65536)):
            client.unsent += client.take(piece)
            while client.unsent:
                if not wait(sock, POLLOUT):
                    return
                with suppress(BlockingIOError):
                    del client.unsent[: sock.send(client.unsent)]
        sock.shutdown(SHUT_WR)
        sock.setblocking(True)
        while sock.recv(65536):
            pass


def wait(sock: socket, event: int) -> bool:
    """Whether the socket became ready before its peer was idle for too long."""
    sock.setblocking(False)
    poller = poll()
    poller.register(sock, event)
    return bool(poller.poll(IDLE_S * 1000) or poller.poll(0))  # after SIGCONT the first is empty


listener = listen()
progress_in_small_steps(listener)
while True:
    if newcomer := accept(listener):
        threading.Thread(target=serve, args=(Client(newcomer),), daemon=True).start()
