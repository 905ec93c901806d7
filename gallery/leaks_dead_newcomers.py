"""`getpeername` on a connection that was reset before it was accepted fails, and nobody closes it.

People write this when they want the peer's name for the log: `accept` has just succeeded, so what
follows "cannot" fail, and the branch for it says no more than `continue`. The kernel shows a
descriptor without any row in its table, for each peer that was gone before its turn came.
"""

from __future__ import annotations

import threading
from contextlib import suppress

from _common import Client, accept, listen

clients: dict[Client, str] = {}


def serve(client: Client) -> None:
    with client.sock, suppress(OSError):
        while piece := client.sock.recv(65536):
            client.sock.sendall(client.take(piece))
    del clients[client]


listener = listen()
while True:
    newcomer = accept(listener)
    if newcomer is None:
        continue
    client = Client(newcomer)
    clients[client] = "somebody"
    try:
        clients[client] = str(newcomer.getpeername())
    except OSError:
        continue  # ENOTCONN: gone already
    threading.Thread(target=serve, args=(client,), daemon=True).start()
