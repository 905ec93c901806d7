"""Every socket is tried in turn, and then the server sleeps for a hundredth of a second.

People write this as their first non-blocking server: no `select` to learn, and it works. The cost
is one system call for each client in each round, whether or not it has spoken. The kernel shows
fifty thousand failing `recvfrom` a second for five hundred clients who say nothing.
"""

from __future__ import annotations

import time

from _common import Client, accept, listen


def serve(client: Client) -> bool:
    """Try to read, or else to write; whether the client stays."""
    try:
        if not client.unsent:
            piece = client.sock.recv(65536)
            client.ended = not piece
            client.unsent += client.take(piece)
        while client.unsent:
            del client.unsent[: client.sock.send(client.unsent)]
    except BlockingIOError:
        return True
    except OSError:
        return False
    return not client.ended


listener = listen()
listener.setblocking(False)
clients: list[Client] = []
while True:
    while newcomer := accept(listener):
        clients.append(Client(newcomer))
    for client in clients.copy():
        if not serve(client):
            clients.remove(client)
            client.sock.close()
    time.sleep(0.01)
