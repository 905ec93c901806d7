"""A peer that leaves before its first byte is kept, since only known clients are ever closed.

People write this when a newcomer becomes a client with its first message, and the clean-up walks
the clients: for one that never spoke there is nothing to clean up. Port scanners and health checks
do exactly this. The kernel shows one CLOSE-WAIT socket for each of them.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from socket import socket

from _common import Client, accept, listen

newcomers: set[socket] = set()
clients: dict[socket, Client] = {}


def serve(sock: socket) -> None:
    with suppress(OSError):
        while piece := sock.recv(65536):
            if sock not in clients:
                newcomers.discard(sock)
                clients[sock] = Client(sock)
            sock.sendall(clients[sock].take(piece))
    if clients.pop(sock, None):
        sock.close()


listener = listen()
while True:
    if newcomer := accept(listener):
        newcomers.add(newcomer)
        threading.Thread(target=serve, args=(newcomer,), daemon=True).start()
