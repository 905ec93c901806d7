"""An error that nobody has caught throws all clients away, and the loop begins again.

People write this as the last resort: the server is never down, and the log says why. A single reset
is such an error, and ends the connections of everybody else. The kernel shows the listener where it
was, and all its connections closed by the server in one instant.
"""

from __future__ import annotations

import select
import socket
from contextlib import suppress

from _common import Client, accept, listen


def serve_all(listener: socket.socket, clients: dict[socket.socket, Client]) -> None:
    while True:
        waiting = [sock for sock, client in clients.items() if client.unsent]
        listening = [listener, *(sock for sock in clients if sock not in waiting)]
        readable, writable, _ = select.select(listening, waiting, [])
        for sock in readable + writable:
            if sock is listener:
                if newcomer := accept(listener):
                    clients[newcomer] = Client(newcomer)
                continue
            client = clients[sock]
            if sock in readable:
                piece = sock.recv(65536)
                client.ended = not piece
                client.unsent += client.take(piece)
            with suppress(BlockingIOError):
                while client.unsent:
                    del client.unsent[: sock.send(client.unsent)]
            if client.ended and not client.unsent:
                del clients[sock]
                sock.close()


listener = listen()
listener.setblocking(False)
while True:
    clients: dict[socket.socket, Client] = {}
    try:
        serve_all(listener, clients)
    except Exception as error:
        print(f"starting anew after: {error}", flush=True)
        for sock in clients:
            sock.close()
